"""Errors of an estimate against the truth, measured in what its covariance claims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.detector.layout import Layout
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters


@dataclass(frozen=True)
class Errors:
    """Errors of an estimate with every rigid motion taken out of them and of their covariance."""

    relative: Floats
    """(n f,) errors over claimed standard deviations."""
    chi_square: float
    """With the full covariance."""
    degrees: int


def errors_of(layout: Layout, estimate: CorrectionEstimate, truth: Correction) -> Errors:
    """The errors that no choice of the root frame changes."""
    free = list(estimate.freedom.free)
    correction = estimate.correction
    frames = correction.frames(layout)
    centre = frames.points(0.5 * layout.size_mm[:, None, :])[:, 0]
    gauge = gauge_directions(
        frames.rotation, centre, tangents_from_parameters(correction), estimate.freedom
    )
    error = (correction.values - truth.values)[:, free].ravel()
    sigma = estimate.sigma[:, free].ravel()
    gauge, error = gauge / sigma[:, None], error / sigma
    covariance = estimate.covariance / np.outer(sigma, sigma)
    orthogonal, _ = np.linalg.qr(gauge)
    project = np.eye(len(error)) - orthogonal @ orthogonal.T
    left, spread = project @ error, project @ covariance @ project
    values, vectors = np.linalg.eigh(spread)
    seen = slice(gauge.shape[1], None)
    along = vectors[:, seen].T @ left
    return Errors(
        relative=left / np.sqrt(np.diag(spread)),
        chi_square=float((along**2 / values[seen]).sum()),
        degrees=len(error) - gauge.shape[1],
    )


def deviations(chi_square: float, degrees: int) -> float:
    """How many standard deviations a chi-square is from its degrees of freedom."""
    return float((chi_square - degrees) / np.sqrt(2.0 * degrees))
