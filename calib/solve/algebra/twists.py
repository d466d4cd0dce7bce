"""Panels' motions as twists of the root frame, in which a common rigid motion is the same for all.

A twist (q, theta) of a panel is the motion y -> y + q + theta x (y - about) of its points, along
the root frame's axes about one fixed point. The null space of a dataset that has its own pose is
then the same wherever its equations were linearised, and so equations from different points can
be added without seeming to know the pose.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.frames import right_jacobian, rotation_from_vector, vector_from_rotation
from calib.model.detector.layout import Layout
from calib.solve.algebra.rigid_motion import adjoints, tangents_at


def tangents_from_twists(layout: Layout, values: Floats) -> Floats:
    """(..., n, 6, 6) carrying a panel's twist to its tangent motion at corrections (..., n, 6)."""
    rotation, centre = _frames_at(layout, values)
    return adjoints(rotation, centre, layout.centre_root_mm.mean(axis=0))


def parameters_from_twists(layout: Layout, values: Floats) -> Floats:
    """(..., n, 6, 6) carrying a panel's twist to the change of its parameters at corrections
    (..., n, 6)."""
    return np.asarray(np.linalg.solve(tangents_at(values), tangents_from_twists(layout, values)))


def twists_between(layout: Layout, start: Floats, end: Floats) -> Floats:
    """(..., n, 6) the twists whose exponentials carry the panels from one correction (..., n, 6) to
    another."""
    about = layout.centre_root_mm.mean(axis=0)
    r0, c0 = _frames_at(layout, start)
    r1, c1 = _frames_at(layout, end)
    turned = r1 @ r0.swapaxes(-1, -2)
    theta = vector_from_rotation(turned)
    moved = (turned @ (about - c0)[..., None])[..., 0] + c1 - about
    q = np.linalg.solve(right_jacobian(-theta), moved[..., None])[..., 0]
    return np.asarray(np.concatenate([q, theta], axis=-1))


def _frames_at(layout: Layout, values: Floats) -> tuple[Floats, Floats]:
    """(..., n, 3, 3) and (..., n, 3): the panels' axes and centres in the root frame."""
    nominal = layout.frames.rotation
    centre = layout.centre_root_mm + (nominal @ values[..., :3, None])[..., 0]
    return nominal @ rotation_from_vector(values[..., 3:]), centre
