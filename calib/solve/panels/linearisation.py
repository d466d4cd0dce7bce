"""How far equations can be trusted away from where they were linearised.

A panel that moves by t (mm) and turns by w (rad) from x0 to x, with a point u on it: its equations
take the spot to move linearly. What they leave out is of second order: the bend of the turn,
|w|^2 |u| / 2, and the depth at which the ray meets the turned panel, (|t| + |w| |u|) |w|, seen
under the angle of incidence theta, 1 + tan^2(theta). The pose follows the panels' common motion
and turns about the same angles; crystals turn by far less. This error e of the spots of each panel
shifts the solution by C N e, with C the covariance and N the dataset's information: its root mean
square over signs that are not known is held against the standard uncertainties.

Rejection, too, was decided at x0: of reflections that are off by a small share s of their scatter,
those beyond the limit c are cut on one side, and the mean of the rest is off by 2 c phi(c) s only.
What the dataset pulled over the distance from x0 to x is too short by this share (1.5 %).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, CorrectionEstimate
from calib.model.detector.layout import Layout
from calib.model.result.summary import Statement
from calib.solve.algebra.linalg import multiply_blocks
from calib.solve.algebra.twists import parameters_from_twists
from calib.solve.dataset.outliers import rejected_pull
from calib.solve.panels.stored_equations import TwistEquations

LINEAR_WITHIN_SIGMA = 0.1
"""A summary whose linearisation may shift the solution by more is beyond its linear range."""


def linearisation_errors(
    layout: Layout,
    statements: Sequence[Statement],
    stored: TwistEquations,
    estimate: CorrectionEstimate,
) -> list[float]:
    """For each statement, the largest shift of any free parameter in sigma that its having been
    linearised elsewhere may have caused; ``stored`` are the same statements whole, over twists."""
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
        # C N, of N = D - F^T F the columns that belong to shifts in the plane: a spot's error is
        # seen as one.
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
    """(n,) what the spots of each panel may be off."""
    step = estimate.correction.values - statement.point.values
    shift = np.linalg.norm(step[:, :3], axis=1)
    turn = np.linalg.norm(step[:, 3:], axis=1)
    slope = np.linalg.norm(middle_mm, axis=1) / statement.use.distance_mm
    depth = (shift + turn * half_mm) * turn * (1.0 + slope**2)
    return np.asarray(0.5 * turn**2 * half_mm + depth)
