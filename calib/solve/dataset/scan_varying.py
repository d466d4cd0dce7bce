"""Crystals that change along a scan: whether to refine them as such, and their initial splines.

Held-out reflections decide whether a crystal is refined as scan-varying. If a file has setting
matrices A_i at angles phi_i, the splines start from these: with A the matrix that the refinement
starts from, A_i A^-1 = exp([w_i]x) (1 + e_i) by polar decomposition, and the coefficients are a
least-squares fit to w_i and e_i.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import vector_from_rotation
from calib.model.experiment.experiment import Scan
from calib.solve.algebra.bspline import ORDER, basis, located
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.observations import WITHOUT_HELD_OUT
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS
from calib.solve.dataset.symmetry import VOIGT
from calib.solve.options import Crystals, SolveOptions

AUTOMATIC_FROM_RAD = np.radians(90.0)
INTERVALS_RAD = (np.radians(30.0), np.radians(15.0))
"""Lengths of intervals that are tried; shorter ones overfit real sweeps."""
_WORTH = 0.98
"""A finer model must reduce the held-out sum of squares to less than this fraction."""
_SAMPLE_SIZE = 10_000
"""Reflections of the subset that decides."""
_LARGEST_BATCHED = 20_000
"""Largest number of reflections for crystals eliminated in batches, since blocks with splines take
much more memory."""
_ITERATIONS = 2
"""Few are needed: the static solution is a good start."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How crystals may change along the scans of a dataset."""

    interval_rad: float
    """Length of a spline's intervals."""
    from_rad: float
    """Crystals are static in scans shorter than this."""

    def of(self, fit: DatasetFit) -> DatasetFit:
        """The fit with such crystals; unchanged if no scan is long enough."""
        return fit.varying(self.interval_rad, from_rad=self.from_rad)


def variation_of(
    fit: DatasetFit, correction: Correction, options: SolveOptions
) -> Variation | None:
    """Variation with which the crystals of a dataset are refined; None if they are static.

    ``Crystals.AUTO`` compares the weighted sum of squares of held-out blocks with static crystals
    and with each interval, for a subset of the reflections, with panels at ``correction`` and pose
    fixed.
    """
    asked = options.crystal_interval_rad
    if options.crystals is Crystals.STATIC or (fit.is_batched and len(fit.seen) > _LARGEST_BATCHED):
        return None
    if options.crystals is Crystals.VARYING:
        return Variation(asked or INTERVALS_RAD[-1], 0.0)
    thin = fit.thinned(_SAMPLE_SIZE)
    chosen, lowest = None, np.inf
    for interval in (asked,) if asked else INTERVALS_RAD:
        tried = Variation(interval, AUTOMATIC_FROM_RAD)
        varying = tried.of(thin)
        if varying is thin:
            continue
        if chosen is None and lowest == np.inf:
            lowest = _held_out_chi_square(thin, correction)
        found = _held_out_chi_square(varying, correction)
        if found < _WORTH * lowest:
            lowest, chosen = found, tried
    return chosen


def _held_out_chi_square(fit: DatasetFit, correction: Correction) -> float:
    """Weighted sum of squares of the held-out reflections that are kept, predicted by crystals
    refined without them, with pose and panels fixed."""
    fit = fit.across_panels()
    for _ in range(_ITERATIONS):
        blocks = fit.blocks_of_crystals(correction)
        fit = fit.moved(fit.crystals_step(blocks.of_folds(WITHOUT_HELD_OUT)))
    tested = fit.keep & fit.seen.held_out
    residuals = fit.residuals(correction)[:, tested]
    return float(np.nansum(residuals**2 * fit.weights[:, tested]))


def following(fit: DatasetFit, options: SolveOptions) -> DatasetFit:
    """The fit with crystals that vary as the setting matrices at scan points in the file do;
    unchanged if there are none, or if ``options`` asks for static crystals."""
    models = fit.dataset.experiments
    has_scan_points = any(crystal.a_at_scan_points is not None for crystal in models.crystals)
    if options.crystals is Crystals.STATIC or not has_scan_points:
        return fit
    automatic = options.crystals is Crystals.AUTO
    varying = fit.varying(
        options.crystal_interval_rad or INTERVALS_RAD[-1],
        from_rad=AUTOMATIC_FROM_RAD if automatic else 0.0,
    )
    held, drift = varying.instrument, varying.nuisance.drift.copy()
    offset = np.concatenate([[0], np.cumsum(held.coefficients)])
    for index, entry in enumerate(models.experiments):
        own = int(held.crystal[index])
        count = held.coefficients[own]
        if count == 1 or entry.scan is None or entry.crystal is None:
            continue
        points = models.crystals[entry.crystal].a_at_scan_points
        if points is None:
            continue
        found = _fitted(points, varying.nuisance.a_matrix[own], models.scans[entry.scan], count)
        drift[:, offset[own] : offset[own + 1]] = found
    return replace(varying, nuisance=replace(varying.nuisance, drift=drift))


def _fitted(points: Floats, a_matrix: Floats, scan: Scan, n_coefficients: int) -> Floats:
    """Spline coefficients (9, k) for setting matrices (m, 3, 3) evenly spaced along the scan."""
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
