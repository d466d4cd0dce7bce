"""Tail probabilities of the chi-square distribution."""

from __future__ import annotations


def chance_above(value: float, degrees: int) -> float:
    """Probability that a chi-square of ``degrees`` degrees of freedom exceeds ``value``.

    1 where there are no degrees of freedom.
    """
    from scipy.special import chdtrc  # only comparisons of solutions need it

    if degrees <= 0:
        return 1.0
    return float(chdtrc(degrees, max(value, 0.0)))


def level_of_chance(probability: float, degrees: int) -> float:
    """The chi-square of ``degrees`` degrees of freedom that is exceeded with this probability."""
    from scipy.special import chdtri  # only comparisons of solutions need it

    return float(chdtri(degrees, probability))
