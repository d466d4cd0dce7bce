"""Crystals that change along their scans, and the decision whether they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.algebra.bspline import basis, located, second_differences
from calib.solve.dataset.prediction import _Change
from calib.solve.dataset.slip import _tested
from calib.solve.dataset.symmetry import strain_matrix
from calib.solve.datasets import solve_in_process
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.scenes import options, solution, started

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT)
ROUNDING = 1e-12
NOISE_PX = 0.1
LITTLE_MORE_THAN_NOISE_PX = 1.05 * NOISE_PX
WAVE_RAD = 1e-3
HARDLY_MORE = 1.02


def scan(drift_rad: float, n_reflections: int = 8000, seed: int = 5) -> SimulatedScan:
    plan = ScanPlan(n_reflections, range_rad=np.pi, drift_rad=drift_rad, noise_px=NOISE_PX)
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    return simulated_scan(np.random.default_rng(seed), LAYOUT, TRUTH, pose, plan, "scan")


def solve(data: SimulatedScan, crystals: Crystals) -> Solution:
    pose = data.dataset.detector.lab_from_root
    assert pose is not None
    chosen = SolveOptions(Freedom.IN_PLANE, PanelPrior(), crystals=crystals)
    return solve_in_process([(data.dataset, pose)], LAYOUT, chosen, lambda *_: None)


def error_um(solution: Solution, data: SimulatedScan) -> float:
    """In the plane; the truth's own out-of-plane part is left out on both sides."""
    in_plane = Correction(TRUTH.values * [1, 1, 0, 0, 0, 1])
    found = solution.estimate.correction
    return corner_errors(LAYOUT, found, in_plane, data.true_pose).in_plane_um


def held_out_px(solution: Solution) -> float:
    held = solution.report.overall.held_out
    assert held is not None
    return float(np.hypot(held.after.rms_x_px, held.after.rms_y_px) / np.sqrt(2.0))


def test_the_basis_sums_to_one_and_is_smooth_across_intervals() -> None:
    share = np.linspace(0.0, 1.0, 21)
    assert np.abs(basis(share).sum(axis=0) - 1.0).max() < ROUNDING
    end, start = basis(np.array([1.0]))[:, 0], basis(np.array([0.0]))[:, 0]
    assert np.allclose(end[1:], start[:-1], atol=ROUNDING)


def test_a_straight_line_has_no_second_difference() -> None:
    assert np.abs(second_differences(7) @ np.arange(7.0)).max() < ROUNDING
    assert np.abs(second_differences(7) @ np.arange(7.0) ** 2).min() > 1.0


@pytest.mark.parametrize("phi", [-0.1, 0.0, 1.0, 2.999, 3.0, 3.2])
def test_every_angle_has_an_interval_of_its_scan(phi: float) -> None:
    interval, share = located(np.array([phi]), 0.0, 3.0, 6)
    assert 0 <= interval[0] <= 5
    assert 0.0 <= share[0] <= 1.0
    if 0.0 <= phi < 3.0:
        assert interval[0] * 0.5 + share[0] * 0.5 == pytest.approx(phi)


def test_a_crystal_that_does_not_change_costs_the_panels_nothing() -> None:
    data = scan(0.0)
    still, free = solve(data, Crystals.STATIC), solve(data, Crystals.AUTO)
    assert free.report.datasets[0].crystal_interval_deg == pytest.approx(15.0)
    assert held_out_px(free) < HARDLY_MORE * held_out_px(still)
    assert error_um(free, data) < HARDLY_MORE * error_um(still, data)
    sigmas = [one.estimate.sigma[:, [0, 1, 5]] for one in (free, still)]
    assert np.median(sigmas[0] / sigmas[1]) < HARDLY_MORE


def test_a_crystal_that_waves_is_followed_and_the_panels_are_the_better_for_it() -> None:
    data = scan(WAVE_RAD)
    still, followed = solve(data, Crystals.STATIC), solve(data, Crystals.AUTO)
    assert followed.report.datasets[0].crystal_interval_deg is not None
    assert held_out_px(still) > 1.5 * NOISE_PX
    assert held_out_px(followed) < LITTLE_MORE_THAN_NOISE_PX
    assert error_um(followed, data) < error_um(still, data)


def test_freedom_that_a_static_crystal_does_not_need_costs_little() -> None:
    data = scan(0.0)
    still, free = solve(data, Crystals.STATIC), solve(data, Crystals.VARYING)
    assert free.report.datasets[0].crystal_interval_deg == pytest.approx(15.0)
    assert held_out_px(free) < 1.02 * held_out_px(still)
    assert error_um(free, data) < error_um(still, data) + 3.0


@pytest.mark.parametrize("crystals", [Crystals.AUTO, Crystals.VARYING])
def test_crystals_that_wave_are_followed_though_few_reflections_share_a_panel(
    crystals: Crystals,
) -> None:
    data = [scan(3.0 * WAVE_RAD, 250, seed).dataset for seed in (5, 6)]
    chosen = options(crystals=crystals)
    assert all(started(one, LAYOUT, chosen).is_batched for one in data)
    followed, still = solution(data, LAYOUT, chosen), solution(data, LAYOUT, options())
    assert all(use.crystal_interval_deg is not None for use in followed.report.datasets)
    assert held_out_px(followed) < 1.5 * NOISE_PX
    assert held_out_px(still) > 3.0 * NOISE_PX


def test_a_reflection_is_strained_and_then_rotated_by_the_spline_of_its_crystal() -> None:
    """exp([w]x) (1 + e) r, w and e the sums of four coefficients times the basis; beyond the last
    coefficient the last one counts."""
    rng = np.random.default_rng(1)
    n, n_coefficients = 20, 6
    r, drift = rng.normal(size=(3, n)), rng.normal(scale=0.1, size=(9, n_coefficients))
    first, weight = rng.integers(0, n_coefficients, n), rng.uniform(0.0, 1.0, (4, n))
    found = _Change.of(r, drift, first, weight).after
    padded = np.concatenate([drift, np.repeat(drift[:, -1:], 4, axis=1)], axis=1)
    for place in range(n):
        change = padded[:, first[place] : first[place] + 4] @ weight[:, place]
        strained = (np.eye(3) + strain_matrix(change[3:])) @ r[:, place]
        expected = Rotation.from_rotvec(change[:3]).apply(strained)
        assert found[:, place] == pytest.approx(expected)


def test_held_out_reflections_have_no_influence_on_the_crystal_that_predicts_them() -> None:
    """Those of one half are predicted alike whether or not those of the other are there, so that
    their sums of squares add up; reflections that are not held out do have an influence."""
    fit = started(scan(WAVE_RAD, 2000).dataset, LAYOUT, options())
    assert not fit.is_batched

    def without(*folds: int) -> float:
        return _tested(replace(fit, keep=~np.isin(fit.seen.fold, folds)), TRUTH)

    one, other = without(1, 5), without(3, 7)
    assert one + other == pytest.approx(without(), rel=ROUNDING)
    for fold in (0, 2, 4, 6):
        assert abs(without(fold) / without() - 1.0) > 1e-6


@pytest.mark.parametrize(
    ("n_kept", "n_intervals"), [(39, 1), (79, 1), (80, 2), (119, 2), (120, 3), (159, 3), (160, 4)]
)
def test_every_interval_of_a_spline_has_forty_kept_reflections_on_average(
    n_kept: int, n_intervals: int
) -> None:
    """A crystal with fewer than forty has a single interval."""
    fit = started(scan(0.0, 300).dataset, LAYOUT, options())
    fit = replace(fit, keep=np.arange(len(fit.seen)) < n_kept)
    found = fit.varying(np.radians(1.0)).interval_deg
    assert found == pytest.approx(180.0 / n_intervals)
