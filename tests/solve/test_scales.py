"""How claimed and achieved scatter enter weights, sigmas and p-values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.still import StillsPlan, simulated_stills
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.datasets import refine_datasets
from calib.solve.drift.difference import ComparedCalibration
from calib.solve.drift.significance import drift
from calib.solve.panels.structure import panel_structure
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.prior import PanelPrior
from calib.solve.summaries import solve_summaries
from support.linear import PRIOR, estimate, seen
from support.scenes import options, quiet, simulation, solution

LAYOUT = known_layout("PILATUS 300K")
FEW = 12
"""Reflections of a still: half as many parameters are refined to them."""


def test_weights_allow_for_the_parameters_that_were_refined() -> None:
    """The scatter that is left is smaller than the noise; the scale of the weights is not."""
    plan = StillsPlan(n_crystals=400, n_reflections=FEW)
    rng = np.random.default_rng(1)
    pose = facing_pose(LAYOUT, 120.0)
    made = simulated_stills(rng, LAYOUT, Correction.none(len(LAYOUT)), pose, plan, "stills")
    (use,) = solution([made.dataset], LAYOUT).report.datasets
    assert use.weight_scale[:2] == pytest.approx((1.0, 1.0), abs=0.03)


def test_the_covariance_of_datasets_is_scaled_by_the_scatter_that_is_left() -> None:
    """By chi-square per degree of freedom, and by what the rejection of outliers costs."""
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=300)
    held = options(prior=PanelPrior(held=True))
    found = solution([scan.dataset], layout, held)
    convergence = found.report.convergence
    left = convergence.chi_square / convergence.degrees_of_freedom
    assert abs(left - 1.0) > 0.01  # so that it makes a difference
    pose = scan.dataset.detector.lab_from_root
    assert pose is not None
    executor = LocalExecutor([scan.dataset])
    _, refined = refine_datasets(executor, [pose], layout, held, quiet)
    expected = refined.last.covariance * left * covariance_inflation()
    free = found.estimate.freedom.free
    structure = panel_structure(layout, found.statements, free, refined.last.covariance, left)
    expected = expected + structure.covariance
    assert found.estimate.covariance == pytest.approx(expected, rel=1e-9)


def test_the_covariance_of_summaries_is_scaled_by_the_scatter_that_they_report() -> None:
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=900)
    (statement,) = solution([scan.dataset], layout).statements
    statement = replace(statement, sums=None)  # which would show no larger scatter
    larger = statement.chi_square + 3.0 * statement.n_data
    plain, worse = (
        solve_summaries([one], layout, Freedom.FULL, PanelPrior())
        for one in (statement, replace(statement, chi_square=larger))
    )
    ratio = worse.report.convergence.chi_square / plain.report.convergence.chi_square
    assert ratio == pytest.approx(4.0, rel=0.1)
    assert worse.estimate.sigma == pytest.approx(np.sqrt(ratio) * plain.estimate.sigma, rel=1e-9)


def test_p_values_of_panels_are_adjusted_for_how_many_are_looked_at() -> None:
    """By Holm's procedure: the smallest times n, the next times n - 1, never falling, at most 1."""
    rng = np.random.default_rng(2)
    layout = known_layout("PILATUS 1M")
    truth = Correction(rng.normal(size=(len(layout), 6)) * PRIOR.sigma())
    moved = truth.values.copy()
    moved[:3, :2] += 0.01
    counts = np.full(len(layout), 200.0)
    one, other = (
        ComparedCalibration(estimate(layout, [seen(rng, layout, at, counts)]), PRIOR)
        for at in (truth, Correction(moved))
    )
    found = drift(layout, one, other, (0.0, 0.0))
    expected = np.empty(len(layout))
    largest = 0.0
    for rank, panel in enumerate(np.argsort(found.panel_p_value)):
        largest = max(largest, float(found.panel_p_value[panel]) * (len(layout) - rank))
        expected[panel] = min(largest, 1.0)
    assert found.panel_p_holm == pytest.approx(expected)
    assert len(set(expected.tolist())) > 3
