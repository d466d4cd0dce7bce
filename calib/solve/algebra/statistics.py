"""Chi-square probabilities, adjusted p-values and robust scatter."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats

SIGMA_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""


def chance_above(value: float, degrees: int) -> float:
    """Probability that a chi-square of ``degrees`` degrees of freedom exceeds ``value``.

    1 where there are no degrees of freedom.
    """
    from scipy.special import chdtrc  # only comparisons of solutions need it

    if degrees <= 0:
        return 1.0
    return float(chdtrc(degrees, max(value, 0.0)))


def chance_beyond(level: Floats) -> Floats:
    """Probability that a normal deviate exceeds ``level``, of any shape, in standard deviations."""
    from scipy.special import ndtr  # only comparisons of solutions need it

    return np.asarray(ndtr(-level))


def level_of_chance(probability: float, degrees: int) -> float:
    """The chi-square of ``degrees`` degrees of freedom that is exceeded with this probability."""
    from scipy.special import chdtri  # only comparisons of solutions need it

    return float(chdtri(degrees, probability))


def holm(p_value: Floats) -> Floats:
    """Holm-adjusted p-values (m,)."""
    out = np.empty(len(p_value))
    order = np.argsort(p_value, kind="stable")
    factors = np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(p_value[order] * factors), 1.0)
    return out
