"""Errors of an estimated correction that no choice of gauge can hide, against its covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import ROTATIONS, Correction, CorrectionEstimate
from calib.model.detector.frames import RigidMotion, fit_rigid, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.result.corner_errors import CornerErrors
from calib.simulate.effects.effect import Effect, combined
from calib.simulate.score import corner_errors

_GRID = 24
"""Points along each side of a panel at which its true shape is compared with a plane."""
_STEP = 1e-6
"""Of the finite differences for rigid motions, in mm and rad."""
_ARM_MM = 50.0
"""Rotations of panels count with this arm beside shifts."""
_NONE = 1e-6


@dataclass(frozen=True, slots=True)
class GaugeFreeError:
    """The error of an estimate after the best rigid alignment of all panels."""

    corners: CornerErrors
    """Root mean square errors of corners, of the panels that were chosen."""
    sigmas: float
    """Root mean square of error over standard uncertainty, over all free parameters."""
    chi_square: float
    """Of the error under the covariance, in all directions but those of the gauge."""
    degrees: int
    """Number of these directions."""
    p_value: float
    """Probability of a larger chi-square if the covariance is true."""


def true_correction(layout: Layout, truth: Correction, effects: Sequence[Effect]) -> Correction:
    """The best rigid fit of each panel's true displacement.

    Effects that move panels count, and so do those inside panels (chips, bow, wide pixels, bias by
    position): pixels of a panel lie where a rigid panel has them at best, all weighing the same.
    """
    acting = combined(effects)
    frames = acting.displaced(layout, truth).frames(layout)
    share = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(share, share, indexing="ij"), axis=-1).reshape(-1, 2)
    rotation, origin = [], []
    for index in range(len(layout)):
        point = grid * layout.size_mm[index]
        beside = acting.inside(layout, np.full(len(point), index), point)
        nominal = np.pad(point - beside[:, :2], ((0, 0), (0, 1)))
        physical = np.column_stack([point, beside[:, 2]])
        fit = fit_rigid(nominal, physical, np.ones(len(point)))
        rotation.append(frames.rotation[index] @ fit.rotation)
        origin.append(frames.rotation[index] @ fit.translation_mm + frames.origin_mm[index])
    return Correction.between(layout, PanelFrames(np.array(rotation), np.array(origin)))


def gauge_free_error(
    layout: Layout,
    estimate: CorrectionEstimate,
    truth: Correction,
    lab_from_root: RigidMotion,
    *,
    widened: float = 1.0,
    scale: bool = False,
) -> GaugeFreeError:
    """The error of an estimate against ``truth``, the best rigid fits of the true panels.

    Corners are those of measured panels. The chi-square is over the free parameters of all panels,
    under the covariance times ``widened`` squared. With ``scale`` a common magnification of the
    places of all panels counts as gauge, too.
    """
    from scipy.special import chdtrc  # only simulations that are compared with the truth need it

    free = list(estimate.freedom.free)
    error = (estimate.correction.values - truth.values)[:, free].ravel()
    covariance = estimate.covariance * widened**2
    sigma = np.sqrt(np.diag(covariance))
    gauge = _gauge(layout, free, scale=scale) / sigma[:, None]
    whole, _ = np.linalg.qr(gauge, mode="complete")
    rest = whole[:, gauge.shape[1] :]
    unit = covariance / np.outer(sigma, sigma)
    part = rest.T @ (error / sigma)
    value, vector = np.linalg.eigh(rest.T @ unit @ rest)
    kept = value > 1e-12 * value[-1]
    chi_square = float((((vector.T @ part) ** 2)[kept] / value[kept]).sum())
    degrees = int(kept.sum())
    off = rest @ part
    spread = np.einsum("ij,jk,ik->i", rest @ rest.T, unit, rest @ rest.T)
    return GaugeFreeError(
        corners=corner_errors(layout, estimate.correction, truth, lab_from_root, estimate.measured),
        sigmas=float(np.sqrt(np.mean(off**2 / np.maximum(spread, 1e-300)))),
        chi_square=chi_square,
        degrees=degrees,
        p_value=float(chdtrc(degrees, chi_square)),
    )


def _gauge(layout: Layout, free: Sequence[int], *, scale: bool) -> Floats:
    """(n f, g) derivatives of the free parameters of n panels by the rigid motions of all panels
    that leave the other parameters as they are."""
    centre = layout.centre_root_mm.mean(axis=0)
    columns = []
    for index in range(6):
        motion = np.zeros(6)
        motion[index] = _STEP
        turn = rotation_from_vector(motion[3:])
        moved = RigidMotion(turn, centre - turn @ centre + motion[:3])
        columns.append(Correction.between(layout, layout.frames.moved(moved)).values / _STEP)
    if scale:
        away = layout.centre_root_mm - centre
        grown = np.zeros((len(layout), 6))
        grown[:, :3] = np.einsum("nij,ni->nj", layout.frames.rotation, away) / np.abs(away).max()
        columns.append(grown)
    every = np.stack(columns, axis=2)
    fixed = [index for index in range(6) if index not in free]
    if not fixed:
        return np.asarray(every.reshape(-1, every.shape[2]))
    weight = np.ones(6)
    weight[ROTATIONS] = _ARM_MM
    others = (every * weight[:, None])[:, fixed].reshape(-1, every.shape[2])
    _, size, direction = np.linalg.svd(others, full_matrices=True)
    none = np.concatenate([size, np.zeros(every.shape[2] - len(size))]) < _NONE * size[0]
    return np.asarray(every[:, list(free)].reshape(-1, every.shape[2]) @ direction[none].T)
