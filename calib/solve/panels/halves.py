"""Agreement of two solutions from independent halves of the reflections."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.result.report import Halves
from calib.solve.panels.system import PanelStep, PanelSystem

_FEWEST_FOR_HALVES = 100
"""Reflections that a panel needs in each half."""


def halves_of(
    a: PanelStep, b: PanelStep, counts: Ints, gauge: Floats, system: PanelSystem
) -> Halves | None:
    """Difference of solutions ``a`` and ``b`` after rigid alignment.

    Compared are panels with at least 100 reflections in each half, ``counts`` (2, n); None if there
    are fewer than two of these. ``gauge`` (n f, k) holds the rigid motions.
    """
    enough: Bools = np.asarray((counts >= _FEWEST_FOR_HALVES).all(axis=0))
    if enough.sum() < 2:
        return None
    free = list(system.freedom.free)
    difference = (a.correction.values - b.correction.values)[enough][:, free]
    variance = _variance(a, len(free))[enough] + _variance(b, len(free))[enough]
    motions = gauge.reshape(len(enough), len(free), -1)[enough]
    difference = aligned(difference, motions, variance)
    um = 1e3 * difference
    normal = um[:, free.index(2)] if 2 in free else None
    spare = difference.size - motions.shape[2]
    return Halves(
        n_panels=int(enough.sum()),
        rms_in_plane_um=float(np.sqrt(np.mean(um[:, :2] ** 2))),
        rms_normal_um=None if normal is None else float(np.sqrt(np.mean(normal**2))),
        chi_square_per_degree=float((difference**2 / variance).sum() / max(spare, 1)),
    )


def aligned(difference: Floats, gauge: Floats, variance: Floats) -> Floats:
    """Differences (m, f) minus the rigid motions ``gauge`` (m, f, k) that fit them best."""
    weight = 1.0 / np.sqrt(variance).ravel()
    motions = gauge.reshape(difference.size, -1)
    amount, *_ = np.linalg.lstsq(motions * weight[:, None], difference.ravel() * weight, rcond=None)
    return np.asarray(difference - (motions @ amount).reshape(difference.shape))


def _variance(step: PanelStep, n_free: int) -> Floats:
    return np.asarray(np.diag(step.covariance).reshape(-1, n_free))
