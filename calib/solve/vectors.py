"""Three-vectors of many reflections at once: arrays of shape (3, n), so that components are
contiguous."""

from __future__ import annotations

import numpy as np

from calib.model.arrays import Floats


def dot(a: Floats, b: Floats) -> Floats:
    """(n,) scalar products of (3, n) vectors."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def cross(a: Floats, b: Floats) -> Floats:
    """(3, n) vector products of (3, n) vectors."""
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def turned(rotations: Floats, v: Floats) -> Floats:
    """(3, n) ``rotations[:, :, i] @ v[:, i]`` for matrices (3, 3, n)."""
    return np.stack([dot(rotations[row], v) for row in range(3)])


def turned_back(rotations: Floats, v: Floats) -> Floats:
    """(3, n) ``rotations[:, :, i].T @ v[:, i]`` for matrices (3, 3, n)."""
    return np.stack([dot(rotations[:, column], v) for column in range(3)])
