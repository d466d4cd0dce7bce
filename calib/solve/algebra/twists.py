"""Panel motions as twists of the root frame, in which a rigid motion is the same for all panels.

A twist (q, theta) of a panel is the motion y -> y + q + theta x (y - about) of its points, along
the axes of the root frame about one fixed point. In these coordinates the null space that a
dataset's own pose leaves is the same at every linearisation point, so normal equations from
different points can be added without determining the pose spuriously.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import ROTATIONS, TRANSLATIONS
from calib.model.detector.frames import right_jacobian, rotation_from_vector, vector_from_rotation
from calib.model.detector.layout import Layout
from calib.solve.algebra.rigid_motion import adjoints, tangents_at


def tangents_from_twists(layout: Layout, values: Floats) -> Floats:
    """Tangent motions by twists: (..., n, 6, 6) at corrections (..., n, 6) in mm and rad."""
    rotation, centre = _frames_at(layout, values)
    return adjoints(rotation, centre, layout.centre_root_mm.mean(axis=0))


def parameters_from_twists(layout: Layout, values: Floats) -> Floats:
    """Changes of the panel parameters by twists: (..., n, 6, 6) at corrections (..., n, 6)."""
    return np.asarray(np.linalg.solve(tangents_at(values), tangents_from_twists(layout, values)))


def twists_between(layout: Layout, start: Floats, end: Floats) -> Floats:
    """Twists (..., n, 6) whose exponentials move panels from correction ``start`` to ``end``, both
    (..., n, 6)."""
    about = layout.centre_root_mm.mean(axis=0)
    r0, c0 = _frames_at(layout, start)
    r1, c1 = _frames_at(layout, end)
    turned = r1 @ r0.swapaxes(-1, -2)
    theta = vector_from_rotation(turned)
    moved = (turned @ (about - c0)[..., None])[..., 0] + c1 - about
    q = np.linalg.solve(right_jacobian(-theta), moved[..., None])[..., 0]
    return np.asarray(np.concatenate([q, theta], axis=-1))


def _frames_at(layout: Layout, values: Floats) -> tuple[Floats, Floats]:
    """Panel axes (..., n, 3, 3) and centres (..., n, 3) in mm, in the root frame."""
    nominal = layout.frames.rotation
    centre = layout.centre_root_mm + (nominal @ values[..., TRANSLATIONS, None])[..., 0]
    return nominal @ rotation_from_vector(values[..., ROTATIONS]), centre
