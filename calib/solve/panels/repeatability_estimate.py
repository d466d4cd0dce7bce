"""The repeatability of a detector, estimated from its data on several occasions.

On each of k occasions, the panels are displaced by d against those of the others, with the
covariance N + r^2 f R_1 of noise and repeatability (``calib.solve.panels.repeatability``), f = 1 +
1 / (k - 1) for k occasions. Each panel p has q = d_p^T (N_pp + r^2 f R_pp)^-1 d_p, a chi-square of
three degrees of freedom. The estimate of r is the one at which the median of q over panels and
occasions is that of chi-square, without panels that moved significantly. With few occasions it is
shrunk to r_0, which has the weight of three occasions,

    r^2 = ((k - 1) r_est^2 + 3 r_0^2) / (k + 2).

Comparisons that look for faults use r_0: a panel that moved would hide itself in r.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.result.comparison import Repeatability
from calib.solve.panels.comparisons import Contrast, PanelDisplacements, without_moved
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM

FEWEST_OCCASIONS = 4
"""Occasions from which on the repeatability is estimated."""
_KNOWN_OCCASIONS = 3.0
"""The weight of what was known before, in occasions."""
_MEDIANS = {2: 1.3862943611198906, 3: 2.3659738843753377}
"""Medians of chi-square, by degrees of freedom."""
_MEDIAN_ERROR = 1.12
"""Standard error of the median of m chi-squares of three degrees of freedom, relative to it, times
the root of m."""
_LARGEST = 1024.0
"""Largest multiple of r_0 that is looked for."""
_ROUNDS = 30


def estimated_repeatability(contrasts: Sequence[Contrast]) -> Repeatability | None:
    """Repeatability from one contrast for each occasion; None if there are fewer than four.

    The covariances of the contrasts were made with r_0, the default.
    """
    if len(contrasts) < FEWEST_OCCASIONS:
        return None
    each = [PanelDisplacements.of(without_moved(one)[1]) for one in contrasts]
    if not any(one.tested.any() for one in each):
        return None
    k = len(contrasts) - 1
    count = sum(len(one.rows) for one in each) * k / len(contrasts)
    before_mm = DEFAULT_REPEAT_MM
    found_mm = before_mm * _multiple(each, 0.0)
    shrunk = (k * found_mm**2 + _KNOWN_OCCASIONS * before_mm**2) / (k + _KNOWN_OCCASIONS)
    return Repeatability(
        panel_um=1e3 * float(np.sqrt(shrunk)),
        estimated_um=1e3 * found_mm,
        at_least_um=1e3 * before_mm * _multiple(each, 2.0 * _MEDIAN_ERROR / np.sqrt(count)),
        before_um=1e3 * before_mm,
        n_occasions=len(contrasts),
    )


def _multiple(each: Sequence[PanelDisplacements], excess: float) -> float:
    """r / r_0 at which the median of q exceeds that of chi-square by a fraction ``excess``; 0 if it
    does not even without repeatability."""

    def beyond(multiple: float) -> float:
        ratios: list[Floats] = [
            one.squares(multiple**2) / np.array([_MEDIANS[len(rows)] for rows in one.rows])
            for one in each
        ]
        return float(np.median(np.concatenate(ratios))) - 1.0 - excess

    if beyond(0.0) <= 0.0:
        return 0.0
    low, high = 0.0, 1.0
    while beyond(high) > 0.0 and high < _LARGEST:
        low, high = high, 2.0 * high
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if beyond(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)
