"""Outliers are rejected around their own panel's median, the worst first, and never too many."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.detector.frames import fit_rigid
from calib.model.experiment.dataset import Dataset
from calib.simulate.score import corner_errors
from calib.solve.dataset.outliers import (
    MOST_REJECTED,
    MOST_REJECTED_ON_PANEL,
    classify_outliers,
    covariance_inflation,
    huber_weights,
    robust_scale,
)
from calib.solve.panels.solution import Solution
from support.judged import observations
from support.scenes import options, simulation, solution

POPULATED = 50
TWO_MICROMETRES_MM = 2e-3


def assert_within_limits(panel: Ints, keep: Bools) -> None:
    assert (~keep).sum() <= MOST_REJECTED * len(keep)
    for index in range(int(panel.max()) + 1):
        mine = panel == index
        if mine.sum() >= POPULATED:
            assert (~keep[mine]).sum() <= MOST_REJECTED_ON_PANEL * mine.sum()


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 0.6),
    st.floats(1.0, 1e4),
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.booleans(),
)
def test_never_more_is_rejected_than_the_limits_allow(
    seed: int, share: float, size: float, counts: list[int], in_place: bool
) -> None:
    rng = np.random.default_rng(seed)
    panel = np.repeat(np.arange(len(counts)), counts)
    residuals = rng.normal(size=(3, len(panel)))
    wild = rng.random(len(panel)) < share
    residuals[:, wild] += size * rng.normal(size=(3, int(wild.sum())))
    seen = observations(panel)
    assert_within_limits(seen.panel, classify_outliers(seen, residuals, in_place=in_place).keep)


@given(st.integers(0, 2**32 - 1))
def test_the_worst_are_rejected_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = observations(np.zeros(500, dtype=np.int64))
    residuals = rng.normal(size=(3, 500))
    residuals[rng.integers(0, 3, 100), np.arange(100)] = rng.uniform(20.0, 900.0, 100)
    keep = classify_outliers(seen, residuals, in_place=True).keep
    worst = np.abs(residuals).max(axis=0)
    assert (~keep).sum() == int(MOST_REJECTED * 500)
    # The three coordinates are each judged by their own scatter, known to a few per cent.
    assert worst[~keep].min() > 0.8 * worst[keep].max()


def test_clean_data_lose_only_their_tails() -> None:
    rng = np.random.default_rng(0)
    seen = observations(rng.integers(0, 10, 50_000))
    keep = classify_outliers(seen, rng.normal(size=(3, 50_000)), in_place=True).keep
    # Three coordinates beyond 3.2 sigma: 3 x 0.00137.
    assert 0.003 < (~keep).mean() < 0.0055


@pytest.mark.parametrize("in_place", [False, True])
def test_a_shifted_panel_is_no_outlier(in_place: bool) -> None:
    rng = np.random.default_rng(1)
    seen = observations(np.repeat(np.arange(10), 300))
    plain = rng.normal(size=(3, 3000))
    shifted = plain.copy()
    shifted[0, seen.panel == 4] += 60.0
    shifted[1, seen.panel == 4] -= 25.0
    assert np.array_equal(
        classify_outliers(seen, shifted, in_place=in_place).keep,
        classify_outliers(seen, plain, in_place=in_place).keep,
    )


def test_a_tilted_panel_is_no_outlier_before_it_is_in_place() -> None:
    rng = np.random.default_rng(2)
    seen = observations(np.repeat(np.arange(10), 300))
    residuals = rng.normal(size=(3, 3000))
    mine = seen.panel == 4
    residuals[0, mine] += rng.uniform(-20.0, 20.0, 300)
    before = classify_outliers(seen, residuals, in_place=False).keep
    assert (~before[mine]).sum() < 10
    after = classify_outliers(seen, residuals, in_place=True).keep
    assert (~after[mine]).sum() == int(MOST_REJECTED_ON_PANEL * 300)


def test_a_panels_outliers_do_not_use_up_the_others_share() -> None:
    rng = np.random.default_rng(3)
    seen = observations(np.repeat(np.arange(10), 300))
    residuals = rng.normal(size=(3, 3000))
    bad = np.flatnonzero(seen.panel == 0)
    residuals[0, bad] += rng.choice([-90.0, 90.0], size=300)
    lone = np.flatnonzero(seen.panel == 5)[7]
    residuals[1, lone] = 30.0
    keep = classify_outliers(seen, residuals, in_place=True).keep
    assert not keep[lone]
    assert (~keep[bad]).sum() == int(MOST_REJECTED_ON_PANEL * 300)


def test_a_reflection_that_cannot_be_predicted_is_never_kept() -> None:
    rng = np.random.default_rng(4)
    seen = observations(np.repeat(np.arange(4), [1, 2, 60, 300]))
    residuals = rng.normal(size=(3, 363))
    lost = [0, 1, 2, 40, 100]
    residuals[:, lost] = np.nan
    for in_place in (False, True):
        keep = classify_outliers(seen, residuals, in_place=in_place).keep
        assert not keep[lost].any()
        assert keep.sum() > 340


def test_the_angle_counts_as_much_as_the_position() -> None:
    seen = observations(np.zeros(400, dtype=np.int64))
    residuals = np.random.default_rng(5).normal(size=(3, 400))
    residuals[2, 17] = 25.0
    assert not classify_outliers(seen, residuals, in_place=True).keep[17]


@given(st.floats(0.05, 20.0), st.integers(0, 2**32 - 1))
def test_claimed_variances_that_are_wrong_by_a_factor_change_nothing(
    factor: float, seed: int
) -> None:
    panel = np.repeat(np.arange(3), 200)
    residuals = np.random.default_rng(seed).standard_t(3, size=(3, 600))
    one = classify_outliers(observations(panel), residuals, in_place=True).keep
    other = classify_outliers(observations(panel, sigma=factor), residuals, in_place=True).keep
    assert np.array_equal(one, other)


def test_wild_reflections_that_were_too_many_to_reject_hardly_pull() -> None:
    rng = np.random.default_rng(8)
    seen = observations(np.zeros(1000, dtype=np.int64))
    residuals = rng.normal(size=(3, 1000))
    residuals[0, :200] = np.geomspace(10.0, 1e6, 200)
    found = classify_outliers(seen, residuals, in_place=True)
    wild = found.keep & (residuals[0] > 9.0)
    assert wild.sum() == 200 - int(MOST_REJECTED * 1000)
    pull = found.trust[wild] * residuals[0, wild]
    assert (np.diff(pull) < 0.0).all()
    assert pull.max() < 0.5, "a reflection at one sigma pulls with one"
    assert (found.trust[~found.keep] == 0.0).all()
    tame = np.abs(residuals).max(axis=0) < 3.0
    assert (found.trust[tame] == 1.0).all()


def test_where_the_limits_do_not_bind_what_is_kept_is_fully_trusted() -> None:
    rng = np.random.default_rng(9)
    seen = observations(np.repeat(np.arange(5), 200))
    residuals = rng.normal(size=(3, 1000))
    residuals[0, ::40] = 50.0
    found = classify_outliers(seen, residuals, in_place=True)
    assert (found.trust[found.keep] == 1.0).all()


def test_the_robust_scale_is_that_of_the_middle_half() -> None:
    rng = np.random.default_rng(6)
    seen = observations(np.zeros(20_000, dtype=np.int64), sigma=2.0)
    residuals = rng.normal(size=(3, 20_000)) * [[1.0], [2.0], [6.0]]
    residuals[:, :3000] *= 100.0
    found = robust_scale(seen, residuals)
    # 15 % of wild values shift the median of the rest from its 50th to its 59th percentile.
    assert found == pytest.approx(1.22 * np.array([0.5, 1.0, 3.0]), rel=0.05)


def test_huber_weights_fall_off_beyond_two_robust_sigma() -> None:
    seen = observations(np.zeros(2001, dtype=np.int64), sigma=0.5)
    residuals = np.repeat(np.linspace(-3.0, 3.0, 2001)[None] ** 3, 3, axis=0)
    scale = robust_scale(seen, residuals)[0]
    weights = huber_weights(seen, residuals)
    far = np.abs(residuals[0]) / (0.5 * scale)
    assert 200 < (far > 2.0).sum() < 1000
    assert weights[0][far < 2.0] == pytest.approx((0.5 * scale) ** -2.0)
    pull = weights[0] * np.abs(residuals[0]) * 0.5 * scale
    assert pull[far > 2.0] == pytest.approx(2.0)
    residuals[1, 5] = np.nan
    assert (huber_weights(seen, residuals)[:, 5] == 0.0).all()


def test_the_covariance_is_inflated_by_what_the_cut_costs() -> None:
    """The mean of what is left after cutting at 3.2 sigma around itself, many times."""
    rng = np.random.default_rng(7)
    n, repeats, total_mean, total_claimed = 100, 40_000, [], []
    for _ in range(8):
        x = rng.normal(size=(repeats // 8, n))
        mean = np.zeros((len(x), 1))
        scale = np.ones((len(x), 1))
        for _ in range(6):
            keep = np.abs(x - mean) < 3.2
            count = keep.sum(axis=1, keepdims=True)
            mean = (x * keep).sum(axis=1, keepdims=True) / count
            scale = ((x - mean) ** 2 * keep).sum(axis=1, keepdims=True) / (count - 1.0)
        total_mean.append(mean)
        total_claimed.append(scale / count)
    found = np.concatenate(total_mean).var() / np.concatenate(total_claimed).mean()
    # The standard error of the variance of 40 000 means is 0.7 %.
    assert covariance_inflation() == pytest.approx(found, abs=0.02)
    assert 1.02 < covariance_inflation() < 1.04


# The same through the whole solver.


@cache
def with_outliers(share: float) -> tuple[Correction, Dataset, Solution]:
    layout, truth, scan = simulation(n_reflections=6000, outlier_share=share)
    return truth, scan.dataset, solution([scan.dataset], layout, options(Freedom.IN_PLANE))


@pytest.mark.parametrize("share", [0.0, 0.03, 0.05, 0.20, 0.40])
def test_a_derivation_rejects_within_the_limits(share: float) -> None:
    _, dataset, found = with_outliers(share)
    (use,) = found.report.datasets
    usable = use.n_reflections + use.n_rejected
    assert use.n_rejected <= MOST_REJECTED * usable
    assert use.n_rejected >= 0.9 * min(share, MOST_REJECTED) * usable
    counts = np.bincount(dataset.reflections.panel, minlength=10)
    rejected = np.array(found.report.rejected_on_panel)
    assert rejected.sum() == use.n_rejected
    assert (rejected[counts >= POPULATED] <= MOST_REJECTED_ON_PANEL * counts[counts >= 50]).all()


@pytest.mark.parametrize(("share", "worse_by"), [(0.05, 1.3), (0.10, 1.6), (0.20, 2.0)])
def test_outliers_beyond_the_limit_do_not_spoil_the_solution(share: float, worse_by: float) -> None:
    layout, truth, clean = simulation(n_reflections=6000)
    _, _, spoilt = simulation(n_reflections=6000, outlier_share=share)
    errors = [
        corner_errors(
            layout,
            solution([scan.dataset], layout, options()).estimate.correction,
            truth,
            scan.true_pose,
        )
        for scan in (clean, spoilt)
    ]
    assert errors[1].in_plane_um < worse_by * errors[0].in_plane_um
    assert errors[1].normal_um < worse_by * errors[0].normal_um


def moved_dataset(dataset: Dataset, panel: int, shift_mm: Floats) -> Dataset:
    """One panel stands elsewhere: what hits it is seen elsewhere on it."""
    table = dataset.reflections
    centroid = table.centroid_mm.copy()
    centroid[table.panel == panel, :2] -= shift_mm
    return replace(dataset, reflections=replace(table, centroid_mm=centroid))


@pytest.mark.parametrize("shift_mm", [(1.0, 0.0), (-0.7, 0.7)])
def test_a_panel_displaced_by_a_millimetre_is_followed_and_not_rejected(
    shift_mm: tuple[float, float],
) -> None:
    layout, _, scan = simulation(n_reflections=6000)
    shift = np.array(shift_mm)
    plain = solution([scan.dataset], layout, options(Freedom.IN_PLANE))
    far = solution([moved_dataset(scan.dataset, 3, shift)], layout, options(Freedom.IN_PLANE))
    corners = layout.corners_panel_mm()
    here, there = (
        found.estimate.correction.frames(layout).points(corners) for found in (plain, far)
    )
    others = [k for k in range(10) if k != 3]
    same = fit_rigid(
        here[others].reshape(-1, 3), there[others].reshape(-1, 3), np.ones(4 * len(others))
    )
    moved = there - same.points(here)
    assert np.abs(moved[others]).max() < TWO_MICROMETRES_MM
    assert moved[3, :, :2].mean(axis=0) == pytest.approx(shift, abs=TWO_MICROMETRES_MM)
    assert far.report.rejected_on_panel[3] <= plain.report.rejected_on_panel[3] + 5
    assert far.report.convergence.converged
    assert far.estimate.status[3] is PanelStatus.MEASURED


def test_the_blocks_of_a_panel_are_the_reflections_of_that_panel() -> None:
    seen = observations(np.array([0, 0, 2, 2, 2]))
    assert [seen.panel[a:b].tolist() for a, b in pairwise(seen.group_start)] == [[0, 0], [2, 2, 2]]
