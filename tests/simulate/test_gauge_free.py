"""Errors against the truth: gauge, covariance, panels that are not rigid, an unseen target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import (
    Correction,
    CorrectionEstimate,
    Freedom,
    PanelStatus,
)
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.simulate.effects.bias import EdgeBias
from calib.simulate.effects.bow import Bow
from calib.simulate.effects.chip import ChipOffsets, WideGaps
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.panel import MovedPanel
from calib.simulate.effects.pixel import PixelSize
from calib.simulate.gauge_free import gauge_free_error, true_correction
from calib.simulate.scan import ScanPlan
from calib.simulate.target import ShellError, Target, simulated_target
from support.effect_laws import LAYOUT, POSE, TRUTH

SIGMA = np.array([0.004, 0.003, 0.006, 1e-4, 2e-4, 5e-5])


def covariance_of(freedom: Freedom, seed: int = 0) -> Floats:
    """Correlated between all panels, with the standard deviations above."""
    free = list(freedom.free)
    size = len(LAYOUT) * len(free)
    mixed = np.random.default_rng(seed).normal(size=(size, 3 * size))
    unit = mixed @ mixed.T
    scale = np.tile(SIGMA[free], len(LAYOUT)) / np.sqrt(np.diag(unit))
    return np.asarray(unit * np.outer(scale, scale))


def estimate_of(off: Floats, freedom: Freedom = Freedom.FULL) -> CorrectionEstimate:
    """The truth with errors ``off`` (n f,) in its free parameters."""
    values = TRUTH.values.copy()
    values[:, list(freedom.free)] += off.reshape(len(LAYOUT), -1)
    return CorrectionEstimate(
        Correction(values),
        freedom,
        covariance_of(freedom),
        (PanelStatus.MEASURED,) * len(LAYOUT),
        np.full(len(LAYOUT), 1000),
    )


def drawn(seed: int, freedom: Freedom = Freedom.FULL) -> Floats:
    covariance = covariance_of(freedom)
    factor = np.linalg.cholesky(covariance)
    return np.asarray(factor @ np.random.default_rng(seed).normal(size=len(covariance)))


@pytest.mark.parametrize("freedom", [Freedom.FULL, Freedom.IN_PLANE])
def test_errors_drawn_from_the_covariance_are_of_one_sigma(freedom: Freedom) -> None:
    found = [
        gauge_free_error(LAYOUT, estimate_of(drawn(seed, freedom), freedom), TRUTH, POSE)
        for seed in range(1, 41)
    ]
    per_degree = np.mean([one.chi_square / one.degrees for one in found])
    assert per_degree == pytest.approx(1.0, abs=0.15)
    assert np.sqrt(np.mean([one.sigmas**2 for one in found])) == pytest.approx(1.0, abs=0.1)
    assert np.mean([one.p_value for one in found]) == pytest.approx(0.5, abs=0.15)


def test_the_gauge_has_six_directions_three_in_the_plane_and_a_scale_on_request() -> None:
    full = estimate_of(drawn(1))
    assert gauge_free_error(LAYOUT, full, TRUTH, POSE).degrees == 18 - 6
    assert gauge_free_error(LAYOUT, full, TRUTH, POSE, scale=True).degrees == 18 - 7
    flat = estimate_of(drawn(1, Freedom.IN_PLANE), Freedom.IN_PLANE)
    assert gauge_free_error(LAYOUT, flat, TRUTH, POSE).degrees == 9 - 3


def test_a_rigid_motion_of_all_panels_is_no_error() -> None:
    motion = RigidMotion(rotation_from_vector(np.array([1e-5, 2e-5, -3e-5])), np.full(3, 2e-3))
    moved = Correction.between(LAYOUT, TRUTH.frames(LAYOUT).moved(motion))
    whole = replace(estimate_of(np.zeros(18)), correction=moved)
    found = gauge_free_error(LAYOUT, whole, TRUTH, POSE)
    assert found.chi_square < 1e-3
    assert found.p_value > 0.999
    assert found.corners.in_plane_um < 0.01
    off = estimate_of(drawn(2))
    both = Correction.between(LAYOUT, off.correction.frames(LAYOUT).moved(motion))
    one, other = (
        gauge_free_error(LAYOUT, each, TRUTH, POSE) for each in (off, replace(off, correction=both))
    )
    assert other.chi_square == pytest.approx(one.chi_square, rel=2e-3)
    assert other.sigmas == pytest.approx(one.sigmas, rel=2e-3)


def test_errors_of_several_sigma_are_found_and_a_wider_covariance_allows_them() -> None:
    off = estimate_of(4.0 * drawn(3))
    found = gauge_free_error(LAYOUT, off, TRUTH, POSE)
    assert found.p_value < 1e-12
    assert found.sigmas > 2.5
    wider = gauge_free_error(LAYOUT, off, TRUTH, POSE, widened=4.0)
    assert wider.chi_square == pytest.approx(found.chi_square / 16.0)
    assert wider.p_value > 1e-3


@pytest.mark.parametrize(
    ("effect", "shift_mm"),
    [
        (Bow(0.03), (0.0, 0.0, 0.02)),
        (EdgeBias(0.5), (0.0, 0.0, 0.0)),
        (WideGaps(1.5), (0.0, 0.0, 0.0)),
        (PixelSize(1e-3), (0.0, 0.0, 0.0)),
    ],
)
def test_the_true_panel_is_the_best_rigid_fit(
    effect: Effect, shift_mm: tuple[float, float, float]
) -> None:
    found = true_correction(LAYOUT, Correction.none(len(LAYOUT)), [effect]).values
    assert found[:, :3] == pytest.approx(np.tile(shift_mm, (len(LAYOUT), 1)), abs=2e-4)
    assert np.abs(found[:, 3:]).max() < 2e-6


def test_chips_move_the_true_panel_by_their_mean() -> None:
    chips = ChipOffsets(0.2, (2, 1), seed=1)
    found = true_correction(LAYOUT, TRUTH, [chips]).values - TRUTH.values
    middle = LAYOUT.size_mm[0] * [[0.25, 0.5], [0.75, 0.5]]
    expected = chips.inside(LAYOUT, np.zeros(2, dtype=int), middle).mean(axis=0)
    assert found[0, :3] == pytest.approx(expected, abs=1e-4)


def test_the_true_panels_are_those_of_the_dataset_in_which_one_has_moved() -> None:
    assert np.abs(true_correction(LAYOUT, TRUTH, []).values - TRUTH.values).max() < 1e-12
    moved = true_correction(LAYOUT, TRUTH, [MovedPanel(2, (0.0, 0.1, 0.0))])
    assert (moved.values - TRUTH.values)[2, :3] == pytest.approx([0.0, 0.1, 0.0], abs=1e-12)


# An unseen target.


@pytest.fixture(scope="module")
def target() -> Target:
    rng = np.random.default_rng(8)
    plan = ScanPlan(n_reflections=900, range_rad=np.pi)
    return simulated_target(rng, LAYOUT, TRUTH, POSE, plan)


def test_true_panels_predict_the_target_and_nominal_ones_do_not(target: Target) -> None:
    assert max(target.rms_px(TRUTH)) < 1e-4
    assert min(target.rms_px(Correction.none(len(LAYOUT)))) > 0.1


def test_pose_and_crystal_of_the_target_are_fitted(target: Target) -> None:
    """The same errors whatever the pose: a rigid motion of all panels costs nothing."""
    motion = RigidMotion(rotation_from_vector(np.array([1e-3, -2e-3, 1e-3])), np.full(3, 0.3))
    moved = Correction.between(LAYOUT, TRUTH.frames(LAYOUT).moved(motion))
    assert max(target.rms_px(moved)) < 1e-3


def test_shells_allow_what_the_covariance_predicts_and_no_more(target: Target) -> None:
    growth, allowed = [], []
    for seed in range(12):
        shells = target.shells(estimate_of(drawn(seed)))
        assert [shell.n for shell in shells] == [180] * 5
        assert not any(shell.worse for shell in shells)
        growth += [np.square(shell.after_px) for shell in shells]
        allowed += [np.square(shell.allowed_px) for shell in shells]
    ratio = np.array(growth) / np.array(allowed)
    assert ratio.max() < 1.0
    assert 0.03 < ratio.mean() < 0.5


def test_a_shell_that_gets_worse_is_worse(target: Target) -> None:
    far = estimate_of(np.zeros(18))
    values = far.correction.values.copy()
    values[1, 0] += 0.8
    shells = target.shells(replace(far, correction=Correction(values)))
    assert any(shell.worse for shell in shells)
    worst = max(shells, key=lambda shell: shell.after_px[0] - shell.before_px[0])
    assert worst.after_px[0] > worst.before_px[0] + 0.01
    assert shells[0].d_max_angstrom > shells[-1].d_min_angstrom


def test_a_rigid_fit_finds_any_pose_and_crystal(target: Target) -> None:
    model, sweep = target.model, np.zeros(len(target.hkl), dtype=np.int64)
    offsets = np.array([0.1, -0.2, 0.5, 1e-3, -1e-3, 2e-3, 5e-4, 1e-3, -5e-4, 1e-3, -2e-3])
    there = model.predicted(offsets, target.hkl, target.panel, target.observed[:, 2], sweep)
    left = model.fitted(target.hkl, target.panel, there, target.sigma, sweep)
    assert np.abs(left / target.sigma).max() < 1e-2


@pytest.mark.parametrize(
    ("before", "after", "allowed", "worse"),
    [
        ((0.10, 0.10), (0.12, 0.10), (0.01, 0.01), True),
        ((0.10, 0.10), (0.10, 0.12), (0.01, 0.01), True),
        ((0.50, 0.10), (0.52, 0.10), (0.01, 0.01), False),  # by 4 %
        ((0.01, 0.01), (0.019, 0.01), (0.001, 0.001), False),  # by .009 px
        ((0.10, 0.10), (0.12, 0.10), (0.08, 0.01), False),  # as the covariance allows
        ((0.10, 0.10), (0.05, 0.05), (0.01, 0.01), False),
    ],
)
def test_a_shell_is_worse_by_a_share_and_a_length_and_more_than_allowed(
    before: tuple[float, float],
    after: tuple[float, float],
    allowed: tuple[float, float],
    worse: bool,
) -> None:
    assert ShellError(3.0, 2.0, 100, before, after, allowed).worse is worse
