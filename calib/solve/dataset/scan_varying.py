"""Crystals that change along a scan: which are refined as such, and their initial splines.

Every crystal may change smoothly: one that changes but is refined as static shifts the panels.
If a file has setting matrices A_i at angles phi_i, the splines start from these: with A the matrix
that the refinement starts from, A_i A^-1 = exp([w_i]x) (1 + e_i) by polar decomposition, and the
coefficients are a least-squares fit to w_i and e_i.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import vector_from_rotation
from calib.model.experiment.experiment import Scan
from calib.solve.algebra.bspline import ORDER, basis, linear_basis, located
from calib.solve.dataset.crystal_equations import crystal_equations
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from calib.solve.dataset.symmetry import VOIGT
from calib.solve.options import Crystals, SolveOptions

_LARGEST_BATCHED = 20_000
"""Largest number of reflections for crystals eliminated in batches, since blocks with splines take
much more memory."""


def may_vary(fit: DatasetFit, options: SolveOptions) -> bool:
    """Whether the crystals of a dataset may be scan-varying, rather than static on request or
    because there are too many reflections for crystals eliminated in batches."""
    if options.crystals is Crystals.STATIC:
        return False
    return not fit.is_batched or len(fit.seen) <= _LARGEST_BATCHED


def crystals_step(fit: DatasetFit, correction: Correction) -> Step:
    """The step of scan-varying crystals with panels, pose and beam fixed, and spots that do not
    shift."""
    held = replace(fit.instrument, shifting=np.zeros_like(fit.instrument.shifting))
    blocks, _ = replace(fit, instrument=held).blocks(correction)
    assert isinstance(blocks, Blocks)  # noqa: S101 - varying crystals are not batched
    crystal = [np.zeros((count, CRYSTAL_COLUMNS)) for count in held.coefficients]
    n = len(fit.layout)
    for which, sums in blocks.by_crystal(held.crystal).items():
        equations = crystal_equations(sums, which, held, fit.nuisance, n, prior=None)
        one = equations.eliminate(fit.penalty)
        own = one.basis @ (one.back @ one.reach[:, -1])
        crystal[which] = own.reshape(-1, CRYSTAL_COLUMNS)
    return Step(np.zeros(6), np.zeros_like(fit.nuisance.deviation), tuple(crystal), 0.0)


def following(fit: DatasetFit, options: SolveOptions) -> DatasetFit:
    """The fit with crystals that vary as the setting matrices at scan points in the file do;
    unchanged if there are none, or if ``options`` asks for static crystals."""
    models = fit.dataset.experiments
    has_scan_points = any(crystal.a_at_scan_points is not None for crystal in models.crystals)
    if options.crystals is Crystals.STATIC or not has_scan_points:
        return fit
    varying = fit.varying(options.crystal_interval_rad)
    if varying.seen.basis is None:
        return fit
    order = len(varying.seen.basis)
    held, drift = varying.instrument, varying.nuisance.drift.copy()
    offset = np.concatenate([[0], np.cumsum(held.coefficients)])
    for index in varying.experiments_used:
        entry, own = models.experiments[index], int(held.crystal[index])
        count = held.coefficients[own]
        if count == 1 or entry.scan is None or entry.crystal is None:
            continue
        points = models.crystals[entry.crystal].a_at_scan_points
        if points is None:
            continue
        scan, a_matrix = models.scans[entry.scan], varying.nuisance.a_matrix[own]
        drift[:, offset[own] : offset[own + 1]] = _fitted(points, a_matrix, scan, count, order)
    return replace(varying, nuisance=replace(varying.nuisance, drift=drift))


def _fitted(
    points: Floats, a_matrix: Floats, scan: Scan, n_coefficients: int, order: int
) -> Floats:
    """Coefficients (9, k) of a spline, or a straight line (``order`` 2), for setting matrices
    (m, 3, 3) evenly spaced along the scan."""
    changed = points @ np.linalg.inv(a_matrix)
    left, stretch, right = np.linalg.svd(changed)
    turn = left @ right
    strain = right.transpose(0, 2, 1) @ (stretch[:, :, None] * right) - np.eye(3)
    wanted = np.empty((len(points), CRYSTAL_COLUMNS))
    wanted[:, :3] = vector_from_rotation(turn)
    wanted[:, 3:] = np.stack([strain[:, i, j] for i, j in VOIGT], axis=1)
    low, high = sorted((scan.start_rad, scan.end_rad))
    phi = np.linspace(scan.start_rad, scan.end_rad, len(points))
    place, share = located(phi, low, high, n_coefficients - order + 1)
    design = np.zeros((len(points), n_coefficients))
    weights = basis(share) if order == ORDER else linear_basis(share)
    for k in range(order):
        design[np.arange(len(points)), place + k] = weights[k]
    coefficients, *_ = np.linalg.lstsq(design, wanted, rcond=None)
    return np.asarray(coefficients.T)
