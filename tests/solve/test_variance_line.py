"""Observed variances follow the stated ones with a floor and a slope, in any unit."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.solve.algebra.variance_line import VarianceLine, variance_line

N = 20_000
CONSTANT, COUNTING = 1.0 / 12.0, 0.02
"""Variances in squared pixels: what a program adds to all, and the mean of counting statistics."""


def stated(rng: np.random.Generator) -> Floats:
    return np.asarray(CONSTANT + COUNTING * rng.exponential(size=N))


def test_a_floor_and_a_slope_are_found() -> None:
    rng = np.random.default_rng(1)
    claims = stated(rng)
    true = VarianceLine(0.003, 2.5, float(claims.min()))
    found = variance_line(claims, rng.normal(size=N) * np.sqrt(true.at(claims)))
    assert found is not None
    assert found.at(claims) == pytest.approx(true.at(claims), rel=0.1)


def test_outliers_do_not_bend_the_line() -> None:
    rng = np.random.default_rng(2)
    claims = stated(rng)
    true = VarianceLine(0.003, 2.5, float(claims.min()))
    residuals = rng.normal(size=N) * np.sqrt(true.at(claims))
    residuals[::20] *= 50.0
    residuals[7::50] = np.nan
    found = variance_line(claims, residuals)
    assert found is not None
    assert found.at(claims) == pytest.approx(true.at(claims), rel=0.3)


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_the_unit_of_the_stated_variances_is_irrelevant(factor: float) -> None:
    rng = np.random.default_rng(3)
    claims = stated(rng)
    residuals = rng.normal(size=N) * np.sqrt(0.003 + 2.5 * (claims - CONSTANT))
    one, other = variance_line(claims, residuals), variance_line(claims * factor, residuals)
    assert one is not None
    assert other is not None
    assert other.at(claims * factor) == pytest.approx(one.at(claims), rel=1e-9)


def test_proportional_variances_are_left_as_they_are() -> None:
    rng = np.random.default_rng(4)
    claims = stated(rng)
    assert variance_line(claims, 0.2 * rng.normal(size=N) * np.sqrt(claims)) is None
    assert variance_line(np.full(N, CONSTANT), rng.normal(size=N)) is None
    assert variance_line(claims[:150], rng.normal(size=150) ** 3) is None


def test_a_line_that_fell_is_level_and_keeps_the_order() -> None:
    rng = np.random.default_rng(5)
    claims = stated(rng)
    found = variance_line(claims, rng.normal(size=N) / claims)
    assert found is not None
    variances = found.at(np.sort(claims))
    assert (np.diff(variances) > 0.0).all()
    assert variances[-1] < 1.01 * variances[0]
