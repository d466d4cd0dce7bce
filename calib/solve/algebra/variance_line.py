"""Observed variances as a line over the stated ones: a floor and a slope.

Stated variances of centroids are relative at best. Programs add constants (1/12 or 1/4 of a squared
pixel) to what counting statistics give, and leave out what does not depend on intensity. With s the
stated variance of a reflection and s0 the smallest, its observed variance is modelled as

    v = f + a (s - s0),  f > 0, a > 0,

by a fit to robust variances of groups of reflections of similar s, where these contradict v being
proportional to s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.statistics import SIGMA_PER_MAD

_GROUPS, _FEWEST_IN_GROUP = 8, 25
_MOST = 50_000
"""Values that are used; more would hardly change the line."""
_VARIANCE_OF_ROBUST = 5.4
"""Relative variance of the squared median absolute deviation of n normal values, times n."""
_CONTRADICTED = 30.0
"""Chi-square of the groups, of seven degrees of freedom: proportional variances exceed it once in
ten thousand cases."""
_ROUNDS = 8
_LOWEST_FLOOR = 0.25
"""Of the smallest variance of a group: the line is not trusted far below what was observed."""
_LEAST_RISE = 1e-4
"""Of the floor, over the range of the stated variances: a line that is level keeps their order."""
_ALIKE = 1e-9
"""Stated variances whose spread is a smaller fraction of them are equal."""


@dataclass(frozen=True, slots=True)
class VarianceLine:
    """Observed variance over the stated one."""

    floor: float
    """Observed variance at the smallest stated one."""
    slope: float
    lowest: float
    """Smallest stated variance."""

    def at(self, stated: Floats) -> Floats:
        """Observed variances (n,) that belong to stated ones (n,)."""
        return np.asarray(self.floor + self.slope * np.maximum(stated - self.lowest, 0.0))


def variance_line(stated: Floats, residuals: Floats) -> VarianceLine | None:
    """The line through robust variances of ``residuals`` (n,) over ``stated`` variances (n,).

    None where there are too few values, or if observed variances are proportional to the stated
    ones as far as can be seen. Values that are not finite are left out.
    """
    finite = np.flatnonzero(np.isfinite(residuals))
    finite = finite[:: -(-len(finite) // _MOST) or 1]
    if len(finite) < _GROUPS * _FEWEST_IN_GROUP:
        return None
    stated, size = stated[finite], np.abs(residuals[finite])
    order = np.argsort(stated, kind="stable")
    lowest = float(stated[order[0]])
    groups = np.array_split(order, _GROUPS)
    x = np.array([stated[group].mean() for group in groups]) - lowest
    y = np.array([(SIGMA_PER_MAD * np.median(size[group])) ** 2 for group in groups])
    if x[-1] <= _ALIKE * lowest or not y.min() > 0.0:
        return None
    ratio = y / (x + lowest)
    off = ratio / np.median(ratio) - 1.0
    if len(finite) / _GROUPS / _VARIANCE_OF_ROBUST * float(off @ off) < _CONTRADICTED:
        return None
    floor, slope = float(np.median(y)), 0.0
    for _ in range(_ROUNDS):  # all groups have the same relative error
        weight = (floor + slope * x) ** -2.0
        mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
        rise = weight @ ((x - mean_x) * (y - mean_y)) / (weight @ (x - mean_x) ** 2)
        slope = max(float(rise), 0.0)
        floor = max(float(mean_y - slope * mean_x), _LOWEST_FLOOR * float(y.min()))
    return VarianceLine(floor, max(slope, _LEAST_RISE * floor / float(x[-1])), lowest)
