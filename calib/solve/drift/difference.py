"""Difference of two calibrations of one detector in a common gauge, and its covariance.

Both estimates describe panels relative to one another. A rigid motion common to all panels (the
gauge G) is removed from both by the projector L = 1 - G (G^T M G)^-1 G^T M, where M is the inverse
of the summed variances. Let C_i be the projected covariances, P_i the inverse covariances of the
priors with the gauge free, and T the larger of the two prior covariances. If the detector has not
changed, the covariance of the difference is

    D = N_1 + N_2 + K T K^T - X - X^T,   N_i = C_i - C_i P_i C_i,   K = C_1 P_1 - C_2 P_2.

For identical priors and disjoint data this is C_1 + C_2 - C_1 P C_2 - C_2 P C_1, since the
contribution of the prior is common to both. If the second calibration includes all data of the
first, X = C_2 - C_1 P_1 C_2, which for identical priors gives D = C_1 - C_2. If they share only
part of their data, X = 0 is used, which overestimates D.

If heights h and tilts r of the panels were fixed, they appear as shifts and rotations in the plane:
with the ray (t_x, t_y, 1) from the sample to the centre of a panel, in the panel's axes, dx changes
by -t_x h, dy by -t_y h and rz by (t_x r_x + t_y r_y) / 2. For calibrations from different sample
positions the tolerances of heights and tilts are added to D accordingly. So are the repeatability
of the detector over the occasions of both (``calib.solve.panels.repeatability``) and the
uncertainty of both models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.layout import Layout
from calib.model.result.drift import UncertaintyParts
from calib.solve.algebra.linalg import block_diagonal, gauge_free
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.algebra.statistics import chance_above
from calib.solve.panels.repeatability import occasions_factor, repeatability
from calib.solve.prior import PanelPrior

_RANK = 1e-6
"""Directions with a smaller fraction of the summed variances are common to both, or gauge."""
_RANK_SHARED = 1e-3
"""The same for shared data, where separately estimated variances are subtracted."""
_GAUGE_RANK = 1e-2
"""Fraction of a rigid motion below which it does not affect the compared parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedCalibration:
    """A calibration to be compared."""

    estimate: CorrectionEstimate
    prior: PanelPrior
    inflation: float = 1.0
    """Factor by which its covariance was scaled after the solution, including the prior."""
    seen_from: tuple[tuple[tuple[float, float, float], float], ...] = ()
    """Sample positions in the root frame (mm), each with its fraction of the reflections; empty if
    not recorded."""
    occasions: int = 1
    """Number of independent occasions on which its data were taken."""
    model: Floats | None = None
    """(n f, n f) covariance that comes from the choice of model; None: not estimated."""


class CalibrationDifference:
    """Difference of two calibrations over their common free parameters, with its covariance."""

    def __init__(
        self,
        layout: Layout,
        one: ComparedCalibration,
        other: ComparedCalibration,
        shared: tuple[float, float],
        repeat_mm: float,
    ) -> None:
        free = tuple(k for k in one.estimate.freedom.free if k in other.estimate.freedom.free)
        known = _measured_panels(one.estimate) & _measured_panels(other.estimate)
        self.layout, self.free, self.known = layout, free, known
        self.repeat_mm = repeat_mm
        self.heights_unknown = 2 not in free and not (one.seen_from and other.seen_from)
        self.same_data = min(shared) >= 1.0
        self.tolerance_mm = max(one.prior.shift_mm, other.prior.shift_mm)
        self.gauge = _gauge(layout, one.estimate, other.estimate, free)
        c1, c2 = (
            _marginal(one.estimate, one.estimate.covariance, free),
            _marginal(other.estimate, other.estimate.covariance, free),
        )
        repeat = repeatability(layout, repeat_mm, free)
        repeat *= occasions_factor((one.occasions, other.occasions), shared)
        model = _model(one, free) + _model(other, free)
        beyond = _heights(layout, one, other, free) + repeat + model
        self.variance = np.maximum(np.diag(c1) + np.diag(c2) + np.diag(beyond), 1e-300)
        self.rank = _RANK_SHARED if max(shared) >= 1.0 else _RANK
        projector = self.gauge_projector(known)
        c1, c2 = self._projected(c1, projector), self._projected(c2, projector)
        values = [m.estimate.correction.values[:, free].ravel() for m in (one, other)]
        apart = values[1] - values[0]
        self.difference = apart - self.gauge @ (projector @ apart)
        self.covariance = self._covariance(c1, c2, one, other, shared)
        repeat, model = (self._projected(each, projector) for each in (repeat, model))
        self.covariance += self._projected(beyond, projector)
        noise = self.covariance - repeat - model
        self.parts = UncertaintyParts(
            self._in_plane_um(noise),
            self._in_plane_um(repeat),
            None if one.model is None and other.model is None else self._in_plane_um(model),
        )

    def gauge_projector(self, on: Bools) -> Floats:
        """Amplitudes A (k, n f) of the rigid motions from panels ``on`` (n,): L = 1 - G A."""
        weight = np.repeat(on, len(self.free)) / self.variance
        held = weight[:, None] * self.gauge
        return np.asarray(np.linalg.pinv(self.gauge.T @ held, rcond=1e-10, hermitian=True) @ held.T)

    def _projected(self, covariance: Floats, projector: Floats) -> Floats:
        """L C L^T (n f, n f), as a low-rank update of C."""
        left = covariance - self.gauge @ (projector @ covariance)
        return np.asarray(left - (left @ projector.T) @ self.gauge.T)

    def _in_plane_um(self, covariance: Floats) -> float:
        """Root mean square sigma in um of the shifts in the plane of the compared panels."""
        variance = np.diag(covariance).reshape(-1, len(self.free))[self.known]
        shifts = variance[:, [place for place, k in enumerate(self.free) if k < 2]]
        return 1e3 * float(np.sqrt(max(shifts.mean(), 0.0))) if shifts.size else 0.0

    def _covariance(
        self,
        c1: Floats,
        c2: Floats,
        one: ComparedCalibration,
        other: ComparedCalibration,
        shared: tuple[float, float],
    ) -> Floats:
        p1, p2 = (
            gauge_free(m.prior.precision(self.layout, self.free), self.gauge) / m.inflation
            for m in (one, other)
        )
        lean1, lean2 = c1 @ p1, c2 @ p2
        looser = max(
            (m.inflation * m.prior.covariance(self.layout, self.free) for m in (one, other)),
            key=lambda tolerance: float(np.trace(tolerance)),
        )
        leaning = lean1 - lean2
        out = c1 - lean1 @ c1 + c2 - lean2 @ c2 + leaning @ looser @ leaning.T
        alike = np.zeros_like(out)
        if shared[0] >= 1.0:
            alike = c2 - lean1 @ c2
        elif shared[1] >= 1.0:
            alike = c1 - c1 @ lean2.T
        return np.asarray(out - alike - alike.T)

    def aligned(self, on: Bools) -> tuple[Floats, Floats]:
        """Difference (n, f) and covariance (n f, n f), aligned on the panels ``on`` (n,)."""
        projector = self.gauge_projector(on)
        difference = self.difference - self.gauge @ (projector @ self.difference)
        covariance = self._projected(self.covariance, projector)
        return difference.reshape(-1, len(self.free)), covariance

    def chi_square(self, difference: Floats, covariance: Floats, on: Bools) -> tuple[float, int]:
        """Chi-square over the panels ``on`` (n,), and its degrees of freedom."""
        rows = np.flatnonzero(np.repeat(on, len(self.free)))
        if not len(rows) or self.same_data:
            return 0.0, 0
        scale = 1.0 / np.sqrt(self.variance[rows])
        block = covariance[np.ix_(rows, rows)] * np.outer(scale, scale)
        eigenvalues, vectors = np.linalg.eigh(block)
        good = eigenvalues > self.rank
        along = vectors[:, good].T @ (scale * difference.ravel()[rows])
        return float((along**2 / eigenvalues[good]).sum()), int(good.sum())

    def panels(self, on: Bools) -> tuple[Floats, Floats, Ints]:
        """p-value, chi-square and degrees of freedom (n,) of each panel, aligned on ``on`` (n,)."""
        difference, covariance = self.aligned(on)
        n, f = difference.shape
        scale = 1.0 / np.sqrt(self.variance.reshape(n, f))
        own = np.arange(n)
        blocks = covariance.reshape(n, f, n, f)[own, :, own] * scale[:, :, None] * scale[:, None, :]
        eigenvalues, vectors = np.linalg.eigh(blocks)
        good = (eigenvalues > self.rank) & self.known[:, None] & (not self.same_data)
        along = np.einsum("nij,ni->nj", vectors, scale * difference)
        value = np.where(good, along**2 / np.where(good, eigenvalues, 1.0), 0.0).sum(axis=1)
        degrees = good.sum(axis=1)
        p_value = [chance_above(*one) for one in zip(value, degrees, strict=True)]
        return np.array(p_value), value, degrees


def _measured_panels(estimate: CorrectionEstimate) -> Bools:
    return np.array([status is not PanelStatus.UNMEASURED for status in estimate.status])


def _marginal(estimate: CorrectionEstimate, covariance: Floats, free: tuple[int, ...]) -> Floats:
    """The rows and columns of the parameters ``free`` in a covariance of the estimate."""
    own = list(estimate.freedom.free)
    n = len(estimate.status)
    rows = (np.arange(n)[:, None] * len(own) + [own.index(k) for k in free]).ravel()
    return np.asarray(covariance[np.ix_(rows, rows)])


def _model(one: ComparedCalibration, free: tuple[int, ...]) -> Floats:
    if one.model is None:
        size = len(one.estimate.status) * len(free)
        return np.zeros((size, size))
    return _marginal(one.estimate, one.model, free)


def _gauge(
    layout: Layout, one: CorrectionEstimate, other: CorrectionEstimate, free: tuple[int, ...]
) -> Floats:
    """Orthonormal rigid motions (n f, k) of the compared parameters that are a gauge of either
    estimate."""
    middle = Correction(0.5 * (one.correction.values + other.correction.values))
    frames = middle.frames(layout)
    centre = frames.points(0.5 * layout.size_mm[:, None, :])[:, 0]
    to_tangent = tangents_from_parameters(middle)
    columns = []
    for freedom in sorted({one.freedom, other.freedom}, key=list(Freedom).index):
        own = freedom.free
        motions = gauge_directions(frames.rotation, centre, to_tangent, freedom)
        by_panel = motions.reshape(len(layout), len(own), -1)
        shown = by_panel[:, [own.index(k) for k in free]].reshape(-1, motions.shape[1])
        whole = np.linalg.norm(motions, axis=0)
        columns.append(shown[:, np.linalg.norm(shown, axis=0) > _GAUGE_RANK * whole])
    together = np.concatenate(columns, axis=1)
    if not together.shape[1]:
        return together
    together = together / np.linalg.norm(together, axis=0)
    left, singular, _ = np.linalg.svd(together, full_matrices=False)
    return np.asarray(left[:, singular > _GAUGE_RANK * singular[0]])


def _heights(
    layout: Layout, one: ComparedCalibration, other: ComparedCalibration, free: tuple[int, ...]
) -> Floats:
    """Covariance (n f, n f) of in-plane parameters from heights and tilts that were fixed.

    Zero if both calibrations refined them, or if sample positions are not recorded.
    """
    n, f = len(layout), len(free)
    if 2 in free or not (one.seen_from and other.seen_from):
        return np.zeros((n * f, n * f))
    look = _look(layout, one) - _look(layout, other)
    normal = max(one.prior.normal_mm, other.prior.normal_mm)
    tilt = max(one.prior.tilt_rad, other.prior.tilt_rad)
    blocks = look * np.array([normal, tilt, tilt])
    return np.asarray(block_diagonal(blocks @ blocks.transpose(0, 2, 1)))


def _look(layout: Layout, measured: ComparedCalibration) -> Floats:
    """Derivatives (n, 3, 3) of apparent (dx, dy, rz) by a panel's (dz, rx, ry)."""
    out = np.zeros((len(layout), 3, 3))
    if measured.estimate.freedom is Freedom.FULL:
        return out
    for sample_root_mm, share in measured.seen_from:
        ray = layout.centre_root_mm - np.array(sample_root_mm)
        along = np.einsum("nij,ni->nj", layout.frames.rotation, ray)
        steep = along[:, :2] / along[:, 2:]
        out[:, :2, 0] -= share * steep
        out[:, 2, 1:] += share * 0.5 * steep
    return out
