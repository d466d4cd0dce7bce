"""Two calibrations of one detector brought to one gauge, and the covariance of their difference.

Both estimates are of the panels relative to one another: a rigid motion common to all panels (the
gauge G) belongs to neither, and is taken out of both by the projector L = 1 - G (G^T M G)^-1 G^T M
with M the inverse variances of both. With C_i the levelled covariances, P_i the priors' inverse
covariances with the gauge free, and T the looser of the two tolerances, the difference has, where
nothing has moved, the covariance

    D = N_1 + N_2 + K T K^T - X - X^T,   N_i = C_i - C_i P_i C_i,   K = C_1 P_1 - C_2 P_2.

For one and the same prior this is C_1 + C_2 - C_1 P C_2 - C_2 P C_1: what leans on the prior in
both is no evidence. X = C_2 - C_1 P_1 C_2 where the second one rests on all data of the first one
as well: for one prior, D = C_1 - C_2. Where they share a part of their data only, X is taken as 0,
which makes D too large and never too small.

A calibration that held the panels in their planes sees their heights h and tilts r as shifts and
turns in the plane: with the ray (t_x, t_y, 1) from the sample to a panel's centre, in the panel's
axes, dx by -t_x h, dy by -t_y h and rz by (t_x r_x + t_y r_y) / 2. What two calibrations see from
different places differs by these; the tolerance of heights and tilts, seen so, is added to D.
So is how badly calibrations repeat beyond their own sigmas, where a person says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.layout import Layout
from calib.solve.algebra.linalg import block_diagonal
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.algebra.statistics import chance_above
from calib.solve.panels.system import gauge_free
from calib.solve.prior import PanelPrior

_RANK = 1e-6
"""Directions with a smaller share of the variances' sum are common to both, or pure gauge."""
_RANK_SHARED = 1e-3
"""The same where data are shared: then variances are subtracted that were found separately."""
_GAUGE_RANK = 1e-2
"""A rigid motion of which the compared parameters show less than this share does not show."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedCalibration:
    """One calibration as the comparison needs it."""

    estimate: CorrectionEstimate
    prior: PanelPrior
    inflation: float = 1.0
    """By how much its covariance was scaled after solving, the prior's part as well."""
    seen_from: tuple[tuple[tuple[float, float, float], float], ...] = ()
    """Where the sample stood in the root frame (mm), with the share of the reflections seen from
    there; empty where that is not known."""


class CalibrationDifference:
    """Difference and covariance over the compared parameters, before the final alignment."""

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
        self.heights_unknown = 2 not in free and not (one.seen_from and other.seen_from)
        self.same_data = min(shared) >= 1.0
        self.tolerance_mm = max(one.prior.shift_mm, other.prior.shift_mm)
        self.gauge = _gauge(layout, one.estimate, other.estimate, free)
        c1, c2 = (
            _marginal_covariance(one.estimate, free),
            _marginal_covariance(other.estimate, free),
        )
        beyond = _heights(layout, one, other, free) + _repeatability(layout, repeat_mm, free)
        self.variance = np.maximum(np.diag(c1) + np.diag(c2) + np.diag(beyond), 1e-300)
        self.rank = _RANK_SHARED if max(shared) >= 1.0 else _RANK
        projector = self.gauge_projector(known)
        c1, c2 = self._projected(c1, projector), self._projected(c2, projector)
        values = [m.estimate.correction.values[:, free].ravel() for m in (one, other)]
        apart = values[1] - values[0]
        self.difference = apart - self.gauge @ (projector @ apart)
        self.covariance = self._covariance(c1, c2, one, other, shared)
        self.covariance += self._projected(beyond, projector)

    def gauge_projector(self, on: Bools) -> Floats:
        """(k, n f) how much of each rigid motion the panels ``on`` show: L = 1 - G times this."""
        weight = np.repeat(on, len(self.free)) / self.variance
        held = weight[:, None] * self.gauge
        return np.asarray(np.linalg.pinv(self.gauge.T @ held, rcond=1e-10, hermitian=True) @ held.T)

    def _projected(self, covariance: Floats, projector: Floats) -> Floats:
        """L C L^T, in the order of the rigid motions only."""
        left = covariance - self.gauge @ (projector @ covariance)
        return np.asarray(left - (left @ projector.T) @ self.gauge.T)

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
        """Difference (n, f) and covariance (n f, n f), aligned on some panels."""
        projector = self.gauge_projector(on)
        difference = self.difference - self.gauge @ (projector @ self.difference)
        covariance = self._projected(self.covariance, projector)
        return difference.reshape(-1, len(self.free)), covariance

    def chi_square(self, difference: Floats, covariance: Floats, on: Bools) -> tuple[float, int]:
        """Over the directions of the panels ``on`` that say anything."""
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
        """(n,) p-value, chi-square and degrees of freedom of each panel, aligned on some."""
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


def _marginal_covariance(estimate: CorrectionEstimate, free: tuple[int, ...]) -> Floats:
    own = list(estimate.freedom.free)
    n = len(estimate.status)
    rows = (np.arange(n)[:, None] * len(own) + [own.index(k) for k in free]).ravel()
    return np.asarray(estimate.covariance[np.ix_(rows, rows)])


def _gauge(
    layout: Layout, one: CorrectionEstimate, other: CorrectionEstimate, free: tuple[int, ...]
) -> Floats:
    """(n f, k) the rigid motions that either estimate left open, as the compared parameters show
    them, orthonormal."""
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
    """(n f, n f) the covariance of what heights and tilts, held in one or both, do to shifts in
    the plane; zero where both refined them, or where nobody knows whence the panels were seen."""
    n, f = len(layout), len(free)
    if 2 in free or not (one.seen_from and other.seen_from):
        return np.zeros((n * f, n * f))
    look = _look(layout, one) - _look(layout, other)
    normal = max(one.prior.normal_mm, other.prior.normal_mm)
    tilt = max(one.prior.tilt_rad, other.prior.tilt_rad)
    blocks = look * np.array([normal, tilt, tilt])
    return np.asarray(block_diagonal(blocks @ blocks.transpose(0, 2, 1)))


def _look(layout: Layout, measured: ComparedCalibration) -> Floats:
    """(n, 3, 3) carrying a panel's (dz, rx, ry) to what is seen of them as (dx, dy, rz)."""
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


def _repeatability(layout: Layout, repeat_mm: float, free: tuple[int, ...]) -> Floats:
    """(n f, n f) the covariance of independent shifts by ``repeat_mm`` along each axis, and of
    turns that move a panel's corners by as much."""
    arm = np.linalg.norm(0.5 * layout.size_mm, axis=1)
    sigma = np.stack([np.full(len(arm), repeat_mm)] * 3 + [repeat_mm / arm] * 3, axis=1)
    return np.diag(sigma[:, free].ravel() ** 2)
