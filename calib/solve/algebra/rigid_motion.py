"""Motions of single panels that follow from rigid motions of the detector, and the gauge.

A tangent motion of a panel is (t, w): translation in mm and rotation vector in rad about the
panel's centre, both along the panel's current axes.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import (
    N_PARAMETERS,
    ROTATIONS,
    TRANSLATIONS,
    Correction,
    Freedom,
)
from calib.model.detector.frames import right_jacobian, rotation_from_vector, skew

_GAUGE_TOLERANCE = 5e-3
"""Fraction of a rigid motion that may fall on fixed parameters. Panels that are mounted flat are
flat to a few mrad; no data distinguish such a motion from a change of the pose."""
_ARM_MM = 100.0
"""Length in mm that makes translations and rotations of a detector comparable."""


def adjoints(outer_from_panel: Floats, centre_mm: Floats, about_mm: Floats) -> Floats:
    """Adjoint matrices (..., 6, 6): tangent motion of each panel for a rigid motion of all panels.

    A rigid motion is a translation q (mm) and a rotation theta (rad) about ``about_mm`` (3,), along
    the axes of an outer frame in which panels have rotations R (..., 3, 3) and centres (..., 3):
    t = R^T (q + theta x (centre - about)), w = R^T theta.
    """
    back = np.swapaxes(outer_from_panel, -1, -2)
    out = np.zeros((*centre_mm.shape[:-1], N_PARAMETERS, 6))
    out[..., TRANSLATIONS, :3] = back
    out[..., TRANSLATIONS, 3:] = -back @ skew(centre_mm - about_mm)
    out[..., ROTATIONS, 3:] = back
    return out


def tangents_from_parameters(correction: Correction) -> Floats:
    """Derivatives (n, 6, 6) of each panel's tangent motion by its six parameters."""
    return tangents_at(correction.values)


def tangents_at(values: Floats) -> Floats:
    """Derivatives (..., 6, 6) of tangent motions by parameters (..., 6) in mm and rad."""
    turn = values[..., ROTATIONS]
    out = np.zeros((*values.shape, N_PARAMETERS))
    out[..., TRANSLATIONS, TRANSLATIONS] = rotation_from_vector(turn).swapaxes(-1, -2)
    out[..., ROTATIONS, ROTATIONS] = right_jacobian(turn)
    return out


def gauge_directions(
    root_from_panel: Floats,
    centre_root_mm: Floats,
    parameters_to_tangent: Floats,
    freedom: Freedom,
) -> Floats:
    """Rigid motions (n f, k) of all panels that change only their f free parameters.

    They are the null space of the derivative of the fixed parameters by a rigid motion. k is 6 if
    all parameters are free, 3 for in-plane parameters of a flat detector, and usually 0 for
    in-plane parameters of a curved detector.
    """
    n = len(centre_root_mm)
    moves = adjoints(root_from_panel, centre_root_mm, centre_root_mm.mean(axis=0))
    parameters = np.linalg.solve(parameters_to_tangent, moves)
    scale = np.array([1.0, 1.0, 1.0, _ARM_MM, _ARM_MM, _ARM_MM])
    parameters = parameters / scale
    held = [i for i in range(N_PARAMETERS) if i not in freedom.free]
    combinations = np.eye(6)
    if held:
        left = (parameters * scale[None, :, None])[:, held].reshape(-1, 6)
        _, singular, vt = np.linalg.svd(left, full_matrices=False)
        combinations = vt[singular < _GAUGE_TOLERANCE * np.sqrt(n)].T
    return np.asarray(parameters[:, list(freedom.free)].reshape(-1, 6) @ combinations)
