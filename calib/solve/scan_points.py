"""Crystals whose files say how they changed along their scans: a start near the truth.

With A_i the setting matrices at angles phi_i and A the one that the refinement starts from,
A_i A^-1 = exp([w_i]x) (1 + e_i) by polar decomposition; the spline's coefficients are those that
fit w_i and e_i best.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calib.model.arrays import Floats
from calib.model.experiment import Scan
from calib.model.frames import vector_from_rotation
from calib.solve.fit import DatasetFit
from calib.solve.options import Crystals, SolveOptions
from calib.solve.spline import ORDER, basis, located
from calib.solve.state import CRYSTAL_COLUMNS
from calib.solve.symmetry import VOIGT
from calib.solve.variation import AUTOMATIC_FROM_RAD, INTERVALS_RAD


def following(fit: DatasetFit, options: SolveOptions) -> DatasetFit:
    """The dataset as its files have it, with crystals that change along their scans as these say;
    itself where they say nothing, or where ``options`` holds crystals still."""
    models = fit.dataset.experiments
    said = any(crystal.a_at_scan_points is not None for crystal in models.crystals)
    if options.crystals is Crystals.STATIC or not said:
        return fit
    automatic = options.crystals is Crystals.AUTO
    varied = fit.varying(
        options.crystal_interval_rad or INTERVALS_RAD[-1],
        from_rad=AUTOMATIC_FROM_RAD if automatic else 0.0,
    )
    held, drift = varied.instrument, varied.state.drift.copy()
    offset = np.concatenate([[0], np.cumsum(held.coefficients)])
    for index, entry in enumerate(models.experiments):
        own = int(held.crystal[index])
        count = held.coefficients[own]
        if count == 1 or entry.scan is None or entry.crystal is None:
            continue
        points = models.crystals[entry.crystal].a_at_scan_points
        if points is None:
            continue
        found = _fitted(points, varied.state.a_matrix[own], models.scans[entry.scan], count)
        drift[:, offset[own] : offset[own + 1]] = found
    return replace(varied, state=replace(varied.state, drift=drift))


def _fitted(points: Floats, a_matrix: Floats, scan: Scan, n_coefficients: int) -> Floats:
    """(9, k) the spline that fits the setting matrices (m, 3, 3), evenly spaced along the scan."""
    changed = points @ np.linalg.inv(a_matrix)
    left, stretch, right = np.linalg.svd(changed)
    turn = left @ right
    strain = right.transpose(0, 2, 1) @ (stretch[:, :, None] * right) - np.eye(3)
    wanted = np.empty((len(points), CRYSTAL_COLUMNS))
    wanted[:, :3] = vector_from_rotation(turn)
    wanted[:, 3:] = np.stack([strain[:, i, j] for i, j in VOIGT], axis=1)
    low, high = sorted((scan.start_rad, scan.end_rad))
    phi = np.linspace(scan.start_rad, scan.end_rad, len(points))
    place, share = located(phi, low, high, n_coefficients - ORDER + 1)
    design = np.zeros((len(points), n_coefficients))
    weights = basis(share)
    for k in range(ORDER):
        design[np.arange(len(points)), place + k] = weights[k]
    coefficients, *_ = np.linalg.lstsq(design, wanted, rcond=None)
    return np.asarray(coefficients.T)
