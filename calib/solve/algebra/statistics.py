"""How often chance alone exceeds a chi-square."""

from __future__ import annotations

import math

import numpy as np


def chance_above(value: float, degrees: int) -> float:
    """P(chi-square of so many degrees of freedom > value); 1 where there are none.

    With x = value / 2, the sum of the terms exp(-x) x^k / Gamma(k + 1) over k = 0, 1, ... below
    degrees / 2 where these are even; where they are odd over k = 1/2, 3/2, ..., and erfc(sqrt(x))
    (Abramowitz and Stegun, 26.4.4 and 26.4.5).
    """
    x = 0.5 * value
    if degrees <= 0 or x <= 0.0:
        return 1.0
    odd = degrees % 2
    k = np.arange(degrees // 2) + 0.5 * odd
    terms = k * math.log(x) - x - np.array([math.lgamma(one + 1.0) for one in k])
    return min(1.0, (math.erfc(math.sqrt(x)) if odd else 0.0) + float(np.exp(terms).sum()))
