"""Rigid motions of groups of panels, from the corrections of their panels."""

from __future__ import annotations

import numpy as np

from calib.model.detector.correction import N_PARAMETERS, CorrectionEstimate
from calib.model.detector.layout import Layout
from calib.model.result.report import GroupMotion
from calib.solve.prior import group_moves


def group_motions(layout: Layout, estimate: CorrectionEstimate) -> tuple[GroupMotion, ...]:
    """Rigid motion m of each group that best describes the corrections x of its panels.

    It is the least-squares solution of M m = x, m = M^+ x, with covariance M^+ C M^+T, where M is
    ``calib.solve.prior.group_moves`` and C the covariance of x.
    """
    free = estimate.freedom.free
    f = len(free)
    out = []
    for group in layout.groups:
        members = np.array(group.panels)
        rows = np.add.outer(members * f, np.arange(f)).ravel()
        nearest = np.linalg.pinv(group_moves(layout, group, free))
        motion = nearest @ estimate.correction.values[members][:, list(free)].ravel()
        spread = nearest @ estimate.covariance[np.ix_(rows, rows)] @ nearest.T
        sigma = np.sqrt(np.maximum(np.diag(spread), 0.0))
        values = [0.0] * N_PARAMETERS
        found: list[float | None] = [None] * N_PARAMETERS
        for place, parameter in enumerate(free):
            values[parameter], found[parameter] = float(motion[place]), float(sigma[place])
        out.append(
            GroupMotion(
                name=group.name,
                level=group.level,
                panels=group.panels,
                n_reflections=int(estimate.n_reflections[members].sum()),
                values=tuple(values),
                sigma=tuple(found),
            )
        )
    return tuple(out)
