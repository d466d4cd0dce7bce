"""What is added to the covariance of two calibrations' difference, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.layout import PanelGroup
from calib.model.result.drift import Drift, Verdict
from calib.solve.drift.difference import CalibrationDifference, ComparedCalibration, _heights
from calib.solve.drift.significance import drift
from calib.solve.panels.repeatability import occasions_factor, repeatability
from calib.solve.panels.weak_modes import named_patterns
from calib.solve.prior import PanelPrior
from support.linear import PRIOR, estimate, seen

LAYOUT = known_layout("PILATUS 1M")
N = len(LAYOUT)
REPEATS = 100
THREE_SD = 3.0
REPEAT_MM = 0.02
MANY = 1e7
"""Reflections on each panel: what they leave unknown is nothing beside what is added."""


def found_by(rng: np.random.Generator, truth: Floats, freedom: Freedom) -> CorrectionEstimate:
    """A calibration of panels (n, 6) by very many reflections."""
    one = seen(rng, LAYOUT, Correction(truth), np.full(N, MANY), freedom)
    return estimate(LAYOUT, [one], freedom)


def compared(pair: Sequence[ComparedCalibration], repeat_mm: float = 0.0) -> Drift:
    """The second of two calibrations against the first, which share no data."""
    one, other = pair
    return drift(LAYOUT, one, other, (0.0, 0.0), repeat_mm)


def assert_chi_square_is_its_degrees(found: list[Drift]) -> None:
    degrees = sum(one.degrees_of_freedom for one in found)
    chi_square = sum(one.chi_square for one in found)
    assert abs(chi_square - degrees) < THREE_SD * np.sqrt(2.0 * degrees)


def test_a_covariance_that_was_scaled_whole_counts_as_scaled() -> None:
    """Sigmas and differences larger by one factor: the same p-values."""
    rng = np.random.default_rng(1)
    counts = rng.integers(2, 30, N).astype(np.float64)
    truth = Correction(rng.normal(size=(N, 6)) * PRIOR.sigma())
    pair = [estimate(LAYOUT, [seen(rng, LAYOUT, truth, counts)]) for _ in range(2)]
    factor = 9.0
    middle = 0.5 * (pair[0].correction.values + pair[1].correction.values)
    scaled = [
        replace(
            one,
            correction=Correction(middle + np.sqrt(factor) * (one.correction.values - middle)),
            covariance=factor * one.covariance,
        )
        for one in pair
    ]
    plain, same, other = (
        compared([ComparedCalibration(one, PRIOR, inflation) for one in estimates])
        for estimates, inflation in ((pair, 1.0), (scaled, factor), (scaled, 1.0))
    )
    assert same.chi_square == pytest.approx(plain.chi_square, rel=1e-3)
    assert same.panel_p_value == pytest.approx(plain.panel_p_value, rel=1e-2)
    assert other.chi_square != pytest.approx(plain.chi_square, rel=0.1)


def one_occasion(rng: np.random.Generator) -> Floats:
    """Panels (n, 6) on one occasion: each shifts by so much along each axis and turns so that its
    corners do; all expand, bend about either axis and twist by half as much (rms)."""
    arm = np.linalg.norm(0.5 * LAYOUT.size_mm, axis=1)[:, None]
    spread = REPEAT_MM * np.concatenate([np.ones((N, 3)), np.ones((N, 3)) / arm], axis=1)
    moved = spread * rng.normal(size=(N, 6))
    named = dict(named_patterns(LAYOUT, np.arange(N)))
    for words in ("overall scale", "bending about fast", "twist"):  # two columns cannot bend more
        root = 0.5 * REPEAT_MM * rng.normal() * np.sqrt(N) * named[words].reshape(N, 3)
        moved[:, :3] += np.einsum("nij,ni->nj", LAYOUT.frames.rotation, root)
    return moved


def repeated(freedom: Freedom, occasions: tuple[int, int]) -> list[Drift]:
    """Pairs of calibrations of an unchanged detector, means over so many occasions each."""
    held = [k for k in range(6) if k not in freedom.free]
    found = []
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        pair = []
        for count in occasions:
            moved = np.mean([one_occasion(rng) for _ in range(count)], axis=0)
            moved[:, held] = 0.0
            calibration = found_by(rng, moved, freedom)
            pair.append(ComparedCalibration(calibration, PRIOR, occasions=count))
        found.append(compared(pair, REPEAT_MM))
    return found


@pytest.mark.parametrize("freedom", list(Freedom))
def test_a_scatter_within_the_stated_repeatability_is_no_drift(freedom: Freedom) -> None:
    assert_chi_square_is_its_degrees(repeated(freedom, (1, 1)))


def test_repeatability_averages_over_independent_occasions() -> None:
    found = repeated(Freedom.IN_PLANE, (2, 5))
    assert_chi_square_is_its_degrees(found)
    once = repeated(Freedom.IN_PLANE, (1, 1))[0].parts.repeatability_um
    assert found[0].parts.repeatability_um == pytest.approx(once * np.sqrt(0.35), rel=1e-3)


def test_data_common_to_both_calibrations_repeat_exactly() -> None:
    """Occasions a and b: the first calibration is of a, the second of both."""
    assert occasions_factor((1, 1), (1.0, 0.5)) == pytest.approx(0.5)
    assert occasions_factor((1, 1), (1.0, 1.0)) == 0.0
    assert occasions_factor((1, 1), (0.0, 0.0)) == 2.0
    assert occasions_factor((4, 8), (0.0, 0.0)) == pytest.approx(0.375)


def test_each_group_of_a_detector_may_shift_and_turn_by_itself() -> None:
    rows = tuple(PanelGroup(f"row {k}", 1, (2 * k, 2 * k + 1)) for k in range(N // 2))
    grouped = replace(LAYOUT, groups=rows)
    free = Freedom.IN_PLANE.free
    more = repeatability(grouped, REPEAT_MM, free) - repeatability(LAYOUT, REPEAT_MM, free)
    by_panel = more.reshape(N, 3, N, 3)
    for panel in range(N):
        row = 2 * (panel // 2)
        others = [p for p in range(N) if p not in (row, row + 1)]
        assert not by_panel[panel][:, others].any()
        assert by_panel[panel, 0, panel, 0] >= (0.5 * REPEAT_MM) ** 2
        assert by_panel[row, 0, row + 1, 0] == pytest.approx((0.5 * REPEAT_MM) ** 2)


def test_noise_repeatability_and_model_are_reported_apart() -> None:
    rng = np.random.default_rng(4)
    one, other = (found_by(rng, np.zeros((N, 6)), Freedom.IN_PLANE) for _ in range(2))
    model = np.diag(np.tile([0.003**2, 0.003**2, 0.0], N))
    plain = compared([ComparedCalibration(each, PRIOR) for each in (one, other)], REPEAT_MM)
    assert plain.parts.model_um is None
    assert plain.parts.noise_um < 0.1 * plain.parts.repeatability_um
    both = compared(
        [ComparedCalibration(one, PRIOR, model=model), ComparedCalibration(other, PRIOR)], REPEAT_MM
    )
    assert both.parts.repeatability_um == pytest.approx(plain.parts.repeatability_um, rel=0.1)
    assert both.parts.model_um == pytest.approx(3.0, rel=0.15)  # less the rigid motions
    total = np.sqrt(np.nanmean(both.sigma[:, :2] ** 2))
    parts = (both.parts.noise_um, both.parts.repeatability_um, both.parts.model_um or 0.0)
    assert 1e3 * total == pytest.approx(np.linalg.norm(parts), rel=1e-6)


def test_heights_seen_from_two_places_are_no_drift() -> None:
    """Heights h and tilts r of panels that were held in their planes look like shifts by -t h along
    both axes and turns by t.r / 2, t the slopes of the ray from where the sample stood."""
    prior = PanelPrior(normal_mm=0.2, tilt_rad=4e-3)
    middle = LAYOUT.centre_root_mm.mean(axis=0)
    places = [middle - [0.0, 0.0, distance] for distance in (100.0, 400.0)]
    found = []
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        height = prior.normal_mm * rng.normal(size=N)
        tilt = prior.tilt_rad * rng.normal(size=(N, 2))
        pair = []
        for place in places:
            ray = LAYOUT.centre_root_mm - place
            slope = ray[:, :2] / ray[:, 2:]
            looks = np.zeros((N, 6))
            looks[:, :2] = -slope * height[:, None]
            looks[:, 5] = 0.5 * (slope * tilt).sum(axis=1)
            calibration = found_by(rng, looks, Freedom.IN_PLANE)
            x, y, z = place.tolist()
            pair.append(ComparedCalibration(calibration, prior, seen_from=(((x, y, z), 1.0),)))
        found.append(compared(pair))
    assert_chi_square_is_its_degrees(found)


def test_fixed_heights_are_as_uncertain_as_the_looser_of_both_priors_says() -> None:
    """Whichever calibration has it: both saw the same heights."""
    rng = np.random.default_rng(7)
    tight, loose = PanelPrior(normal_mm=0.1, tilt_rad=1e-3), PanelPrior(0.1, 0.4, 8e-3)
    truth = np.zeros((N, 6))
    middle = LAYOUT.centre_root_mm.mean(axis=0)
    estimates = [found_by(rng, truth, Freedom.IN_PLANE) for _ in range(2)]

    def heights(*priors: PanelPrior) -> Floats:
        one, other = (
            ComparedCalibration(calibration, prior, seen_from=((tuple(place.tolist()), 1.0),))
            for calibration, prior, place in zip(
                estimates, priors, [middle - [0, 0, 100.0], middle - [0, 0, 400.0]], strict=True
            )
        )
        return _heights(LAYOUT, one, other, one.estimate.freedom.free)

    both = heights(loose, loose)
    assert np.array_equal(heights(tight, loose), both)
    assert np.array_equal(heights(loose, tight), both)
    assert np.diag(both).max() > 4.0 * np.diag(heights(tight, tight)).max()


def test_a_panel_that_moved_far_is_named_although_all_others_seem_to_have_moved() -> None:
    """It spoils the first alignment, so that every p-value is 0 in double precision."""
    rng = np.random.default_rng(5)
    truth = np.zeros((N, 6))
    pair = []
    for shift_mm in (0.0, 1.0):
        truth[3, 0] = shift_mm
        one = seen(rng, LAYOUT, Correction(truth), np.full(N, 10_000.0))
        pair.append(ComparedCalibration(estimate(LAYOUT, [one]), PRIOR))
    difference = CalibrationDifference(LAYOUT, pair[0], pair[1], (0.0, 0.0), 0.0)
    p_values, _, _ = difference.panels(difference.known)
    assert (p_values == 0.0).sum() > 5
    found = compared(pair)
    assert found.moved == (3,)
    assert found.verdict is Verdict.REPLACED


def test_panels_were_replaced_only_if_each_moved_as_far_as_a_replacement_would() -> None:
    """A tenth of the tolerance of assembly; of two panels of 24 each counts."""
    layout = known_layout("PILATUS 2M")
    verdicts = []
    for second_mm in (0.5, 0.0112, 0.0089, 0.002):
        rng = np.random.default_rng(6)
        moved = np.zeros((len(layout), 6))
        moved[4, 0], moved[13, 1] = 0.5, second_mm
        pair = []
        for truth in (np.zeros_like(moved), moved):
            one = seen(rng, layout, Correction(truth), np.full(len(layout), MANY))
            pair.append(ComparedCalibration(estimate(layout, [one]), PRIOR))
        found = drift(layout, pair[0], pair[1], (0.0, 0.0))
        assert found.moved == (4, 13)
        verdicts.append(found.verdict)
    assert verdicts == 2 * [Verdict.REPLACED] + 2 * [Verdict.DRIFTED]
