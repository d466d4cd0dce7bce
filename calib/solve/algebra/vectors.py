"""Three-vectors of many reflections at once: arrays of shape (3, n), so that components are
contiguous. What is the same for all of them has n = 1."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats, Ints


def dot(a: Floats, b: Floats) -> Floats:
    """(n,) scalar products of (3, n) vectors."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def cross(a: Floats, b: Floats) -> Floats:
    """(3, n) vector products of (3, n) vectors."""
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def turned(rotations: Floats, v: Floats) -> Floats:
    """(3, n) ``rotations[:, :, i] @ v[:, i]`` for matrices (3, 3, n), or one (3, 3, 1) for all."""
    if rotations.shape[2] == 1:
        return np.asarray(rotations[:, :, 0] @ v)
    return np.stack([dot(rotations[row], v) for row in range(3)])


def turned_back(rotations: Floats, v: Floats) -> Floats:
    """(3, n) ``rotations[:, :, i].T @ v[:, i]`` for matrices (3, 3, n), or one (3, 3, 1) for
    all."""
    if rotations.shape[2] == 1:
        return np.asarray(rotations[:, :, 0].T @ v)
    return np.stack([dot(rotations[:, column], v) for column in range(3)])


def shared(index: Ints) -> Ints:
    """(n,), or (1,) where all of them are the same."""
    return index[:1] if len(index) and (index == index[0]).all() else index
