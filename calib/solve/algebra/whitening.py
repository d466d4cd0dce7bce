"""Whitening: coordinates in which the normal equations of some parameters are the identity."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.linalg import whitener

_NULL = 1e-10
"""Fraction of a direction's original information below which the remainder after elimination is
rounding error, and the direction undetermined."""

_LARGE = 32
"""Number of parameters from which on a Cholesky decomposition is tried first."""


def whiten(square: Floats, alone: Floats, words: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """W with W^T N W = 1 over the determined directions, and descriptions of the others.

    ``alone`` is the diagonal of N before other parameters were eliminated: a remainder of
    negligible size is rounding error.
    """
    scale = np.sqrt(np.maximum(alone, 1e-300))
    scaled = square / np.outer(scale, scale)
    if len(square) >= _LARGE:
        root = _complete_root(scaled)
        if root is not None:
            return root.T / scale[:, None], ()
    eigenvalues, vectors = np.linalg.eigh(scaled)
    good = eigenvalues > _NULL
    found = tuple(
        words[int(np.abs(vectors[:, k]).argmax())] for k in np.flatnonzero(~good) if words
    )
    return (vectors[:, good] / np.sqrt(eigenvalues[good])) / scale[:, None], found


def _complete_root(matrix: Floats) -> Floats | None:
    """Lower triangular W with W M W^T = 1 by Cholesky decomposition, ten times faster than the
    eigenvalues; None where a direction may be undetermined.

    The smallest eigenvalue of M is at least the inverse of the sum of squares of W, the trace of
    M^-1.
    """
    try:
        root = whitener(matrix)
    except np.linalg.LinAlgError:
        return None
    return root if _NULL * float(np.square(root).sum()) < 1.0 else None


def whiten_all(squares: Floats) -> Floats:
    """W (c, k, k) with W^T N W = 1 for many N (c, k, k); undetermined columns are 0."""
    diagonal = np.diagonal(squares, axis1=1, axis2=2)
    scale = np.sqrt(np.maximum(diagonal, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(squares / (scale[:, :, None] * scale[:, None, :]))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(eigenvalues > _NULL, 1.0 / np.sqrt(eigenvalues), 0.0)
    return np.asarray(vectors * size[:, None, :] / scale[:, :, None])
