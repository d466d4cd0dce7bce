"""Stated variances are relative: neither corrections nor uncertainties depend on their unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Freedom
from calib.model.experiment.dataset import Dataset
from calib.solve.panels.solution import Solution
from support.scenes import options, simulation, solution

HARDLY_SIGMA = 1e-3


def claiming(factor: Floats | float, dataset: Dataset) -> Dataset:
    table = dataset.reflections
    variance = table.variance_mm * factor
    return replace(dataset, reflections=replace(table, variance_mm=variance))


def solved(factor: Floats | float, n_reflections: int = 900) -> Solution:
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=n_reflections)
    return solution([claiming(factor, scan.dataset)], layout, options(Freedom.IN_PLANE))


@pytest.mark.parametrize(
    "factor", [1e8, 1e-8, np.array([1e4, 1e-4, 1e6])], ids=["larger", "smaller", "each its own"]
)
def test_stated_variances_may_be_in_any_unit(factor: Floats | float) -> None:
    plain, other = solved(1.0), solved(factor)
    one, two = plain.estimate, other.estimate
    off = (two.correction.values - one.correction.values)[:, :2] / one.sigma[:, :2]
    assert np.abs(off).max() < HARDLY_SIGMA
    assert two.sigma[:, :2] == pytest.approx(one.sigma[:, :2], rel=1e-5)
    scale = np.array(other.report.datasets[0].weight_scale)
    assert scale * np.sqrt(factor) == pytest.approx(plain.report.datasets[0].weight_scale)


def test_what_a_program_adds_to_all_variances_is_found() -> None:
    """Of 0.25 squared pixels and the counting error only the latter is real: weak reflections keep
    their small weight, as with true claims."""
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=3000)
    rng = np.random.default_rng(1)
    table = scan.dataset.reflections
    times = 1.0 + rng.exponential(scale=2.0, size=len(table))
    extra = rng.normal(size=(len(table), 3)) * np.sqrt(table.variance_mm * (times[:, None] - 1.0))
    true = table.variance_mm * times[:, None]
    added = true + 25.0 * table.variance_mm
    sigma = []
    for claims in (true, added):
        spoilt = replace(table, centroid_mm=table.centroid_mm + extra, variance_mm=claims)
        found = solution(
            [replace(scan.dataset, reflections=spoilt)], layout, options(Freedom.IN_PLANE)
        )
        sigma.append(found.estimate.sigma[:, :2])
    assert sigma[1] == pytest.approx(sigma[0], rel=0.05)
