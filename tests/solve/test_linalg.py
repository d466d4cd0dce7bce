"""Square matrices over the parameters of all panels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.solve.algebra.linalg import (
    inverse,
    pivoted_factor,
    solve_positive_definite,
    whitener,
)
from calib.solve.algebra.vectors import shared, turned, turned_back
from calib.solve.algebra.whitening import whiten

FACTORISATIONS: dict[str, Callable[[Floats], Floats]] = {
    "inverse": inverse,
    "whitener": whitener,
    "solution": lambda matrix: solve_positive_definite(matrix, np.ones((len(matrix), 2))),
    "pivoted factor": lambda matrix: pivoted_factor(matrix, 1e-8),
}


def positive_definite(size: int, seed: int) -> Floats:
    """(size, size) whose scales differ by ten orders of magnitude, as those of mm and rad may."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size + 3, size)) * 10.0 ** rng.uniform(-5.0, 5.0, size)
    return np.asarray(factor.T @ factor)


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 64, 65, 127, 360])
def test_the_inverse_of_a_positive_definite_matrix_undoes_it(size: int) -> None:
    matrix = positive_definite(size, seed=size)
    found = inverse(matrix)
    assert (found == found.T).all()
    scale = np.sqrt(np.diag(matrix))
    unit = (found * np.outer(scale, scale)) @ (matrix / np.outer(scale, scale))
    tolerance = 1e-14 * size * np.linalg.cond(matrix / np.outer(scale, scale))
    assert np.abs(unit - np.eye(size)).max() < tolerance


@pytest.mark.parametrize("size", [2, 40])
def test_what_is_not_positive_definite_has_no_inverse(size: int) -> None:
    matrix = positive_definite(size, seed=1)
    matrix[0, 1] = matrix[1, 0] = 2.0 * np.sqrt(matrix[0, 0] * matrix[1, 1])
    with pytest.raises(np.linalg.LinAlgError):
        inverse(matrix)


def test_a_system_without_unknowns_has_an_empty_solution() -> None:
    """In-plane parameters of a detector bent in two ways have no gauge."""
    found = solve_positive_definite(np.zeros((0, 0)), np.zeros((0, 4)))
    assert found.shape == (0, 4)


@pytest.mark.parametrize(("largest", "rank"), [(0.0, 0), (1e-9, 0), (1e-7, 1)])
def test_a_pivoted_factor_has_no_row_for_a_pivot_within_the_tolerance(
    largest: float, rank: int
) -> None:
    found = pivoted_factor(np.diag([0.0, largest, 0.0]), 1e-8)
    assert found.shape == (rank, 3)
    assert np.abs(found.T @ found - np.diag([0.0, largest, 0.0])).max() <= 1e-8


@pytest.mark.parametrize("name", FACTORISATIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 2), (2, 0)])
@pytest.mark.parametrize("size", [3, 40])
def test_a_matrix_that_is_not_finite_is_refused(
    name: str, value: float, row: int, column: int, size: int
) -> None:
    """LAPACK itself may return NaN, or a factor with too few rows."""
    matrix = np.eye(size) + 1.0
    FACTORISATIONS[name](matrix)
    matrix[row, column] = matrix[column, row] = value
    with pytest.raises(InputError, match="the matrix contains NaN or infinity") as caught:
        FACTORISATIONS[name](matrix)
    assert caught.value.code == "not-finite"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_right_hand_side_that_is_not_finite_is_refused(value: float) -> None:
    right = np.ones((3, 2))
    right[1, 1] = value
    with pytest.raises(InputError, match="contains NaN or infinity"):
        solve_positive_definite(np.eye(3), right)


def test_an_index_is_shortened_where_all_elements_are_equal() -> None:
    for index, expected in (([], []), ([3], [3]), ([3, 3], [3]), ([3, 3, 4], [3, 3, 4])):
        assert shared(np.array(index, dtype=np.int64)).tolist() == expected


@pytest.mark.parametrize(("n_matrices", "n"), [(1, 1), (1, 5), (2, 2), (5, 5)])
def test_vectors_are_turned_by_the_matrix_of_each_or_by_the_only_one(
    n_matrices: int, n: int
) -> None:
    rng = np.random.default_rng(1)
    matrices, v = rng.normal(size=(3, 3, n_matrices)), rng.normal(size=(3, n))
    for place in range(n):
        own = matrices[:, :, min(place, n_matrices - 1)]
        assert turned(matrices, v)[:, place] == pytest.approx(own @ v[:, place])
        assert turned_back(matrices, v)[:, place] == pytest.approx(own.T @ v[:, place])


@pytest.mark.parametrize("size", [9, 31, 32, 120])
@pytest.mark.parametrize("n_null", [0, 2])
def test_whitening_leaves_out_the_directions_that_are_undetermined(size: int, n_null: int) -> None:
    """However the matrix is factorised."""
    rng = np.random.default_rng(size)
    factor = rng.normal(size=(size - n_null, size)) * 10.0 ** rng.uniform(-3.0, 3.0, size)
    matrix = factor.T @ factor
    found, _ = whiten(matrix, np.diag(matrix), ())
    assert found.shape == (size, size - n_null)
    assert found.T @ matrix @ found == pytest.approx(np.eye(size - n_null), abs=1e-6)
