"""Error of stored equations that are used away from their linearisation point.

Let a panel move by t (mm) and rotate by w (rad) from the linearisation point x0 to x, and let u be
a point on it. The equations assume that spots move linearly. The neglected second-order terms are
the arc of the rotation, |w|^2 |u| / 2, and the change of depth at which the ray meets the rotated
panel, (|t| + |w| |u|) |w|, magnified by the incidence angle theta as 1 + tan^2(theta). The pose
follows the common motion of the panels and rotates by the same angles; crystals rotate by much
less. An error e of the spots of each panel shifts the solution by C N e, where C is the covariance
and N the dataset's information matrix. The root mean square over the unknown signs of e is compared
with the standard uncertainties.

Outliers, too, were rejected at x0. If reflections are displaced by a small fraction s of their
scatter, those beyond the rejection limit c are removed on one side only, and the mean of the rest
is displaced by 2 c phi(c) s less. The contribution of the dataset over the distance from x0 to x is
too small by this fraction (1.5 %).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import (
    N_PARAMETERS,
    ROTATIONS,
    TRANSLATIONS,
    CorrectionEstimate,
)
from calib.model.detector.layout import Layout
from calib.model.result.summary import Statement
from calib.solve.algebra.linalg import multiply_blocks
from calib.solve.algebra.twists import parameters_from_twists
from calib.solve.dataset.outliers import rejected_pull
from calib.solve.panels.stored_equations import TwistEquations

LINEAR_WITHIN_SIGMA = 0.1
"""A summary with a larger linearisation error is beyond its linear range."""


def linearisation_errors(
    layout: Layout,
    statements: Sequence[Statement],
    stored: TwistEquations,
    estimate: CorrectionEstimate,
) -> list[float]:
    """Linearisation error of each statement: the largest shift of a free parameter, in sigma.

    ``stored`` holds the equations of all reflections of the same statements, over twists.
    """
    n, free = len(layout), list(estimate.freedom.free)
    cut = rejected_pull()
    sigma = estimate.sigma[:, free].ravel()
    half = 0.5 * np.linalg.norm(layout.size_mm, axis=1)
    back = np.linalg.inv(parameters_from_twists(layout, estimate.correction.values))[:, :, free]
    middle = layout.centre_root_mm - layout.centre_root_mm.mean(axis=0)
    found = []
    pulled, _ = stored.pulled(layout, estimate.correction)
    for one, row in zip(statements, pulled, strict=True):
        spots = _second_order_mm(one, estimate, half, middle)
        if not spots.any():
            found.append(0.0)
            continue
        # C N, restricted to the columns of N = D - F^T F for shifts in the plane, which is how an
        # error of a spot acts.
        coupling = one.whole.coupling.reshape(-1, n, N_PARAMETERS)
        taken = estimate.covariance @ coupling[:, :, free].reshape(-1, len(sigma)).T
        shifts = (coupling[:, :, :2] * spots[:, None]).reshape(-1, 2 * n)
        own = one.whole.own[:, free][:, :, :2] * spots[:, None, None]
        moved = multiply_blocks(estimate.covariance, own) - taken @ shifts
        pull = np.einsum("paf,pa->pf", back, row.reshape(n, N_PARAMETERS)).ravel()
        bend = (moved**2).sum(axis=1) + (cut * (estimate.covariance @ pull)) ** 2
        found.append(float((np.sqrt(bend) / sigma).max()))
    return found


def _second_order_mm(
    statement: Statement, estimate: CorrectionEstimate, half_mm: Floats, middle_mm: Floats
) -> Floats:
    """Second-order error (n,) of the spots of each panel, in mm."""
    step = estimate.correction.values - statement.point.values
    shift = np.linalg.norm(step[:, TRANSLATIONS], axis=1)
    turn = np.linalg.norm(step[:, ROTATIONS], axis=1)
    slope = np.linalg.norm(middle_mm, axis=1) / statement.use.distance_mm
    depth = (shift + turn * half_mm) * turn * (1.0 + slope**2)
    return np.asarray(0.5 * turn**2 * half_mm + depth)
