"""Whitening: coordinates in which the normal equations of some parameters are the identity."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats

_NULL = 1e-10
"""Fraction of a direction's original information below which the remainder after elimination is
rounding error, and the direction undetermined."""


def whiten(square: Floats, alone: Floats, words: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """W with W^T N W = 1 over the determined directions, and descriptions of the others.

    ``alone`` is the diagonal of N before other parameters were eliminated: a remainder of
    negligible size is rounding error.
    """
    scale = np.sqrt(np.maximum(alone, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(square / np.outer(scale, scale))
    good = eigenvalues > _NULL
    found = tuple(
        words[int(np.abs(vectors[:, k]).argmax())] for k in np.flatnonzero(~good) if words
    )
    return (vectors[:, good] / np.sqrt(eigenvalues[good])) / scale[:, None], found


def whiten_all(squares: Floats) -> Floats:
    """W (c, k, k) with W^T N W = 1 for many N (c, k, k); undetermined columns are 0."""
    diagonal = np.diagonal(squares, axis1=1, axis2=2)
    scale = np.sqrt(np.maximum(diagonal, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(squares / (scale[:, :, None] * scale[:, None, :]))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(eigenvalues > _NULL, 1.0 / np.sqrt(eigenvalues), 0.0)
    return np.asarray(vectors * size[:, None, :] / scale[:, :, None])
