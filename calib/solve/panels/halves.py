"""How far two solutions from independent halves of the reflections differ."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.result.report import Halves
from calib.solve.panels.system import PanelStep, PanelSystem

_FEWEST_FOR_HALVES = 100


def halves_of(
    a: PanelStep, b: PanelStep, counts: Ints, gauge: Floats, system: PanelSystem
) -> Halves | None:
    """Two solutions compared after rigid alignment, on the panels with 100 reflections or more in
    each; ``counts`` (2, n). None where there are no two such panels."""
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
    """Differences (m, f) of corrections less the rigid motion (m, f, k) that explains most."""
    weight = 1.0 / np.sqrt(variance).ravel()
    motions = gauge.reshape(difference.size, -1)
    amount, *_ = np.linalg.lstsq(motions * weight[:, None], difference.ravel() * weight, rcond=None)
    return np.asarray(difference - (motions @ amount).reshape(difference.shape))


def _variance(step: PanelStep, n_free: int) -> Floats:
    return np.asarray(np.diag(step.covariance).reshape(-1, n_free))
