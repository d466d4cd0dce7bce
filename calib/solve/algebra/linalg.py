"""Symmetric positive definite matrices over the parameters of all panels.

Factorisations are LAPACK's, called through ``scipy.linalg.lapack``: the checks of ``scipy.linalg``
cost more than the small systems of this package themselves. LAPACK does not reject NaN and infinity
reliably, so they are looked for here: functions that factorise raise ``InputError``
(``not-finite``) where a matrix or right-hand side contains any.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from calib.errors import InputError
from calib.model.base.arrays import Floats


def block_diagonal(blocks: Floats) -> Floats:
    """Matrix (n a, n b) with the n blocks (n, a, b) along its diagonal."""
    n, a, b = blocks.shape
    out = np.zeros((n, a, n, b))
    out[np.arange(n), :, np.arange(n)] = blocks
    return out.reshape(n * a, n * b)


def add_blocks(matrix: Floats, blocks: Floats) -> None:
    """Add the n blocks (n, a, a) to the diagonal of a matrix (n a, n a), in place."""
    n, a, _ = blocks.shape
    matrix.reshape(n, a, n, a)[np.arange(n), :, np.arange(n)] += blocks


def congruence(matrix: Floats, blocks: Floats) -> Floats:
    """B^T M B (n b, n b) for M (n a, n a) symmetric and B block diagonal with blocks (n, a, b)."""
    n, a, b = blocks.shape
    left = blocks.transpose(0, 2, 1) @ matrix.reshape(n, a, n * a)
    both = left.reshape(n * b, n, a).transpose(1, 0, 2) @ blocks
    return np.ascontiguousarray(both.transpose(1, 0, 2)).reshape(n * b, n * b)


def multiply_blocks(rows: Floats, blocks: Floats) -> Floats:
    """F B (r, n b) for F (r, n a) and B block diagonal with blocks (n, a, b)."""
    n, a, b = blocks.shape
    products = rows.reshape(-1, n, a).transpose(1, 0, 2) @ blocks
    return np.ascontiguousarray(products.transpose(1, 0, 2)).reshape(-1, n * b)


def inverse(matrix: Floats) -> Floats:
    """Inverse of a positive definite matrix (m, m), by Cholesky decomposition.

    The matrix is scaled to unit diagonal first, since its rows mix mm and rad. The result is
    exactly symmetric. Raises ``numpy.linalg.LinAlgError`` where the matrix is not positive
    definite, and ``InputError`` where it is not finite.
    """
    _require_finite(matrix)
    scale = 1.0 / np.sqrt(np.diag(matrix))
    root = whitener(matrix * np.outer(scale, scale)) * scale
    found = root.T @ root
    return np.asarray(0.5 * (found + found.T))  # not every library's product is symmetric


def whitener(matrix: Floats) -> Floats:
    """Lower triangular W (m, m) with W M W^T = 1: the inverse of the Cholesky factor of M.

    Raises ``numpy.linalg.LinAlgError`` where M (m, m) is not positive definite, and ``InputError``
    where it is not finite.
    """
    _require_finite(matrix)
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1)
    _check(info)
    found, info = lapack.dtrtri(factor, lower=1, overwrite_c=1)
    _check(info)
    return np.asarray(found)


def solve_positive_definite(matrix: Floats, right: Floats) -> Floats:
    """Solution X (m, k) of M X = ``right`` (m, k) for M (m, m) positive definite.

    Raises ``numpy.linalg.LinAlgError`` where it is not, and ``InputError`` where M or ``right`` is
    not finite.
    """
    _require_finite(matrix)
    _require_finite(right)
    if not len(matrix):
        return np.zeros_like(right)  # LAPACK's wrapper refuses empty systems
    _, found, info = lapack.dposv(matrix, right, lower=1)
    _check(info)
    return np.asarray(found)


def gauge_free(precision: Floats, gauge: Floats) -> Floats:
    """Inverse covariance (m, m) of a prior with the rigid motions ``gauge`` (m, k) free."""
    if not gauge.shape[1]:
        return precision
    held = precision @ gauge
    return np.asarray(precision - held @ solve_positive_definite(gauge.T @ held, held.T))


def pivoted_factor(matrix: Floats, least: float) -> Floats:
    """F (r, m) with F^T F = M, for M (m, m) positive semidefinite of rank r.

    Cholesky decomposition with diagonal pivoting (LAPACK's ``dpstrf``), which ends where no
    diagonal element of the remainder exceeds ``least`` (Higham, "Analysis of the Cholesky
    decomposition of a semi-definite matrix", 1990). Raises ``InputError`` where M is not finite.
    """
    _require_finite(matrix)
    if np.diag(matrix).max(initial=0.0) <= least:
        return np.zeros((0, len(matrix)))  # dpstrf takes its first pivot whatever the tolerance
    upper, pivots, rank, _ = lapack.dpstrf(matrix, tol=least, lower=0)
    factor = np.zeros((rank, len(matrix)))
    factor[:, pivots - 1] = np.triu(upper)[:rank]
    return factor


def _require_finite(matrix: Floats) -> None:
    if not np.isfinite(matrix).all():
        raise InputError("not-finite", "the matrix contains NaN or infinity.")


def _check(info: int) -> None:
    if info != 0:
        message = f"the matrix is not positive definite (LAPACK info {info})"
        raise np.linalg.LinAlgError(message)
