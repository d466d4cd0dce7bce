"""How panels move when something larger moves rigidly: adjoints, and the gauge that they make.

A tangent motion of a panel is (t, w): translation in mm and rotation vector in rad about its
centre, both along its own current axes.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, Correction, Freedom
from calib.model.detector.frames import right_jacobian, rotation_from_vector, skew

_GAUGE_TOLERANCE = 5e-3
"""Share of a rigid motion that may fall on held parameters: panels that are mounted flat are so
to some mrad, and what the pose can take up but for that is not told apart by any data."""
_ARM_MM = 100.0
"""A length that makes translations and rotations of a detector comparable."""


def adjoints(outer_from_panel: Floats, centre_mm: Floats, about_mm: Floats) -> Floats:
    """(..., 6, 6) carrying a rigid motion of all panels to each panel's tangent motion.

    The rigid motion is translation (mm) and rotation (rad) about ``about_mm`` (3,) along the outer
    axes; panels have rotations (..., 3, 3) and centres (..., 3) in that outer frame:
    t = R^T (q + theta x (centre - about)), w = R^T theta.
    """
    back = np.swapaxes(outer_from_panel, -1, -2)
    out = np.zeros((*centre_mm.shape[:-1], N_PARAMETERS, 6))
    out[..., :3, :3] = back
    out[..., :3, 3:] = -back @ skew(centre_mm - about_mm)
    out[..., 3:, 3:] = back
    return out


def tangents_from_parameters(correction: Correction) -> Floats:
    """(n, 6, 6) carrying small changes of a panel's six parameters to its tangent motion."""
    return tangents_at(correction.values)


def tangents_at(values: Floats) -> Floats:
    """(..., 6, 6) the same for any array (..., 6) of parameters."""
    turn = values[..., 3:]
    out = np.zeros((*values.shape, N_PARAMETERS))
    out[..., :3, :3] = rotation_from_vector(turn).swapaxes(-1, -2)
    out[..., 3:, 3:] = right_jacobian(turn)
    return out


def gauge_directions(
    root_from_panel: Floats,
    centre_root_mm: Floats,
    parameters_to_tangent: Floats,
    freedom: Freedom,
) -> Floats:
    """(n f, k) the rigid motions of all panels that lie within their f free parameters.

    Found as the null space of what a rigid motion does to the parameters that are held; k is 6
    for full freedom, 3 in plane on a flat detector, usually 0 in plane on a curved one.
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
