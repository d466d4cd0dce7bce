"""Square matrices over the parameters of all panels: carried from one set to another, inverted,
and taken apart."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats

_SMALL = 32
"""Of a triangular matrix that it does not pay to take apart."""


def block_diagonal(blocks: Floats) -> Floats:
    """(n a, n b) with the n blocks (n, a, b) along its diagonal."""
    n, a, b = blocks.shape
    out = np.zeros((n, a, n, b))
    out[np.arange(n), :, np.arange(n)] = blocks
    return out.reshape(n * a, n * b)


def add_blocks(matrix: Floats, blocks: Floats) -> None:
    """Add the n blocks (n, a, a) to the diagonal of a matrix (n a, n a), in place."""
    n, a, _ = blocks.shape
    matrix.reshape(n, a, n, a)[np.arange(n), :, np.arange(n)] += blocks


def congruence(matrix: Floats, by: Floats) -> Floats:
    """(n b, n b) B^T M B of a symmetric matrix M (n a, n a), B having the blocks (n, a, b)."""
    n, a, b = by.shape
    left = by.transpose(0, 2, 1) @ matrix.reshape(n, a, n * a)
    both = left.reshape(n * b, n, a).transpose(1, 0, 2) @ by
    return np.ascontiguousarray(both.transpose(1, 0, 2)).reshape(n * b, n * b)


def multiply_blocks(rows: Floats, by: Floats) -> Floats:
    """(r, n b) F B of rows F (r, n a), B having the blocks (n, a, b)."""
    n, a, b = by.shape
    turned = rows.reshape(-1, n, a).transpose(1, 0, 2) @ by
    return np.ascontiguousarray(turned.transpose(1, 0, 2)).reshape(-1, n * b)


def inverse(matrix: Floats) -> Floats:
    """That of a positive definite matrix (m, m), scaled to unit diagonal on the way: from its
    Cholesky factor, in a third of the time of ``numpy.linalg.inv``.

    Raises ``numpy.linalg.LinAlgError`` where it is not positive definite.
    """
    scale = 1.0 / np.sqrt(np.diag(matrix))
    half = whitener(matrix * np.outer(scale, scale))
    half *= scale
    found = half.T @ half
    return np.asarray(0.5 * (found + found.T))  # not every library's product is symmetric


def whitener(matrix: Floats) -> Floats:
    """(m, m) lower triangular W with W M W^T = 1, M positive definite (m, m).

    Raises ``numpy.linalg.LinAlgError`` where it is not.
    """
    return _lower_inverse(np.asarray(np.linalg.cholesky(matrix)))


def _lower_inverse(lower: Floats) -> Floats:
    """That of a lower triangular matrix (m, m), by halves."""
    m = len(lower)
    if m <= _SMALL:
        return np.asarray(np.linalg.inv(lower))
    first, second = slice(m // 2), slice(m // 2, m)
    out = np.zeros_like(lower)
    out[first, first] = _lower_inverse(lower[first, first])
    out[second, second] = _lower_inverse(lower[second, second])
    out[second, first] = -out[second, second] @ (lower[second, first] @ out[first, first])
    return out


def pivoted_factor(matrix: Floats, least: float) -> Floats:
    """(r, m) F with F^T F the positive semidefinite matrix (m, m), of as many rows as it has rank.

    A Cholesky decomposition with diagonal pivots, which ends where no diagonal element is left
    that exceeds ``least`` (Higham, "Analysis of the Cholesky decomposition of a semi-definite
    matrix", 1990).
    """
    factor = np.zeros_like(matrix)
    left = np.diag(matrix).copy()
    done = np.zeros(len(matrix), dtype=bool)
    for rank in range(len(matrix)):
        pivot = int(left.argmax())
        if left[pivot] <= least:
            return factor[:rank].copy()
        row = matrix[pivot] - factor[:rank, pivot] @ factor[:rank]
        row /= np.sqrt(left[pivot])
        row[done] = 0.0
        factor[rank] = row
        left -= row**2
        done[pivot] = True
        left[pivot] = 0.0
    return factor
