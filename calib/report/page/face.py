"""The face of a detector in one plane: where each panel is drawn, and its axes there."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.layout import Layout

_MOST_TILTED = np.cos(np.radians(30.0))
"""A detector with a panel tilted by more than 30 degrees against the mean is unrolled."""


def face_view(layout: Layout) -> dict[str, Any]:
    """Outlines of n panels in one plane, in mm: as an image viewer shows the detector.

    A flat detector is drawn in the x and y axes of its root frame, y downwards. A curved one
    is unrolled about the axis of the cylinder that fits the normals of its panels.
    """
    centre, axes, unrolled = _face(layout)
    offsets = layout.corners_panel_mm() - 0.5 * layout.size_mm[:, None, :]
    outline = centre[:, None, :] + offsets @ axes
    return {
        "kind": "unrolled" if unrolled else "flat",
        "outline_mm": outline.tolist(),
        "centre_mm": centre.tolist(),
        "fast": axes[:, 0].tolist(),
        "slow": axes[:, 1].tolist(),
    }


def _face(layout: Layout) -> tuple[Floats, Floats, bool]:
    """(n, 2) centres in mm, (n, 2, 2) fast and slow axes as rows, and whether it is unrolled."""
    rotation, centre = layout.frames.rotation, layout.centre_root_mm
    normals = rotation[:, :, 2]
    if len(layout) < 3 or np.all(normals @ layout.normal_root > _MOST_TILTED):
        return centre[:, :2], rotation[:, :2, :2].transpose(0, 2, 1), False
    axis = np.linalg.svd(normals - normals.mean(axis=0))[2][-1]
    axis = axis * (1.0 if axis[np.argmax(np.abs(axis))] > 0.0 else -1.0)
    middle = layout.normal_root - axis * (axis @ layout.normal_root)
    middle /= np.linalg.norm(middle)
    side = np.cross(axis, middle)
    flat = np.stack([middle, side])
    hub = _hub(centre @ flat.T, normals @ flat.T)
    spoke = centre @ flat.T - hub
    spoke *= np.sign(np.sum(spoke * (normals @ flat.T), axis=1, keepdims=True).sum() or 1.0)
    angle, radius = np.arctan2(spoke[:, 1], spoke[:, 0]), np.hypot(*spoke.T).mean()
    around = -np.sin(angle)[:, None] * middle + np.cos(angle)[:, None] * side
    basis = np.stack([around, np.broadcast_to(axis, around.shape)], axis=1)
    axes = np.einsum("nkj,nji->nik", basis, rotation[:, :, :2])
    return np.stack([radius * angle, centre @ axis], axis=1), axes, True


def _hub(points: Floats, normals: Floats) -> Floats:
    """(2,) the point nearest to all lines through points (n, 2) along normals (n, 2)."""
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    across = np.eye(2) - unit[:, :, None] * unit[:, None, :]
    left, right = across.sum(axis=0), np.einsum("nij,nj->i", across, points)
    return np.asarray(np.linalg.lstsq(left, right, rcond=None)[0])
