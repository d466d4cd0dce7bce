"""The chance of a chi-square, against scipy's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtrc

from calib.solve.algebra.statistics import chance_above


@given(st.floats(0.0, 3000.0), st.integers(1, 800))
def test_the_chance_of_a_chi_square_is_the_one_that_scipy_finds(value: float, degrees: int) -> None:
    assert chance_above(value, degrees) == pytest.approx(
        chdtrc(degrees, value), rel=1e-9, abs=1e-290
    )


def test_nothing_is_always_exceeded_and_what_is_huge_never() -> None:
    assert chance_above(5.0, 0) == 1.0
    assert chance_above(0.0, 3) == 1.0
    assert chance_above(-1e-12, 3) == 1.0
    assert chance_above(1e9, 2) == chance_above(1e9, 3) == 0.0
