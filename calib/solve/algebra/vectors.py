"""Operations on arrays (3, n) of three-vectors, one per reflection, with contiguous components.

A vector or matrix that all reflections share has n = 1.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats, Ints


def dot(a: Floats, b: Floats) -> Floats:
    """Scalar products (n,) of vectors (3, n)."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def cross(a: Floats, b: Floats) -> Floats:
    """Vector products (3, n) of vectors (3, n)."""
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def turned(rotations: Floats, v: Floats) -> Floats:
    """Products (3, n) ``rotations[:, :, i] @ v[:, i]`` for matrices (3, 3, n) or (3, 3, 1)."""
    if rotations.shape[2] == 1:
        return np.asarray(rotations[:, :, 0] @ v)
    return np.stack([dot(rotations[row], v) for row in range(3)])


def turned_back(rotations: Floats, v: Floats) -> Floats:
    """Products (3, n) ``rotations[:, :, i].T @ v[:, i]`` for matrices (3, 3, n) or (3, 3, 1)."""
    if rotations.shape[2] == 1:
        return np.asarray(rotations[:, :, 0].T @ v)
    return np.stack([dot(rotations[:, column], v) for column in range(3)])


def shared(index: Ints) -> Ints:
    """``index`` (n,), shortened to (1,) if all elements are equal."""
    return index[:1] if len(index) and (index == index[0]).all() else index
