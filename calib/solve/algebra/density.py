"""Where points are densest: the mode, which a majority of other points does not move."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats

_SHARE = 0.25
"""Fraction of the values whose shortest interval is sought."""
_SIGMA_PER_LENGTH = 1.0 / 0.6373
"""Standard deviation of a normal distribution over the length of that interval."""
_REACH = 2.0
"""Standard deviations around the mode whose median refines it."""
_ROUNDS = 4


def mode(points: Floats, least: Floats | float = 0.0) -> Floats:
    """The densest place (k, 1) of points (k, n): the median of the densest group.

    ``least`` (k, 1) is the smallest extent of this group to either side. Points that are not finite
    are left out; zero if none is finite. Points that belong elsewhere may be the majority if they
    are spread more widely.
    """
    points = points[:, np.isfinite(points).all(axis=0)]
    if not points.shape[1]:
        return np.zeros((len(points), 1))
    found = np.array([_shortest(row) for row in points])
    centre, reach = found[:, :1], np.maximum(_REACH * _SIGMA_PER_LENGTH * found[:, 1:], least)
    for _ in range(_ROUNDS):
        near = points[:, within(points, centre, reach)]
        if not near.shape[1]:
            break
        centre = np.median(near, axis=1, keepdims=True)
    return np.asarray(centre)


def within(points: Floats, centre: Floats, reach: Floats | float) -> Bools:
    """(n,) which points (k, n) are within ``reach`` of ``centre`` (k, 1) in each coordinate."""
    return np.asarray((np.abs(points - centre) <= reach).all(axis=0))


def _shortest(values: Floats) -> tuple[float, float]:
    """Middle and length of the shortest interval that holds a quarter of the values (n,)."""
    ordered = np.sort(values)
    held = max(int(np.ceil(_SHARE * len(ordered))), min(2, len(ordered))) - 1
    length = ordered[held:] - ordered[: len(ordered) - held]
    at = int(length.argmin())
    return float(0.5 * (ordered[at] + ordered[at + held])), float(length[at])
