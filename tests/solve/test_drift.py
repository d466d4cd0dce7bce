"""Two calibrations compared: what counts as a change of the detector, and what does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, kstest

from calib.errors import LayoutError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.pose import facing_pose
from calib.model.result.drift import Drift, Verdict
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.drift.difference import ComparedCalibration
from calib.solve.drift.significance import SIGNIFICANCE, drift
from calib.solve.prior import PanelPrior
from support.linear import PRIOR, estimate, seen
from support.scenes import barrel, options, solution

LAYOUT = known_layout("PILATUS 1M")
N = len(LAYOUT)
AS_THE_PRIOR_SAYS = Tolerance(PRIOR.shift_mm, PRIOR.normal_mm, PRIOR.tilt_rad)
INDEPENDENT = (0.0, 0.0)
ODD = 1e-3
"""A test of a distribution fails by chance this often, with seeds that are fixed: never."""


def truth(rng: np.random.Generator, freedom: Freedom) -> Correction:
    values = np.zeros((N, 6))
    drawn = random_correction(rng, LAYOUT, AS_THE_PRIOR_SAYS).values
    values[:, freedom.free] = drawn[:, freedom.free]
    return Correction(values)


def counts(rng: np.random.Generator) -> Floats:
    return rng.integers(200, 900, N).astype(np.float64)


def compared(
    one: CorrectionEstimate, other: CorrectionEstimate, shared: tuple[float, float] = INDEPENDENT
) -> Drift:
    return drift(LAYOUT, ComparedCalibration(one, PRIOR), ComparedCalibration(other, PRIOR), shared)


def unchanged(seed: int, kind: str, freedom: Freedom) -> Drift:
    """A detector that stands still, calibrated twice."""
    rng = np.random.default_rng(seed)
    still, first, second = truth(rng, freedom), counts(rng), counts(rng)
    if kind == "sparse":
        first[:3], second[:3] = [0, 3, 20], [5, 0, 10]
        first[5] = second[5] = 2
    one = seen(rng, LAYOUT, still, first, freedom)
    other = seen(rng, LAYOUT, still, second, freedom)
    mine, yours, shared = [one], [other], INDEPENDENT
    if kind == "nested":
        yours, shared = [one, other], (1.0, float(first.sum() / (first + second).sum()))
    return compared(estimate(LAYOUT, mine, freedom), estimate(LAYOUT, yours, freedom), shared)


def assert_only_chance(found: list[Drift]) -> None:
    assert kstest([one.p_value for one in found], "uniform").pvalue > ODD
    panels = np.concatenate([one.panel_p_value[list(one.compared)] for one in found])
    assert kstest(panels, "uniform").pvalue > ODD
    false = sum(one.verdict is not Verdict.SAME for one in found)
    assert binom.sf(false - 1, len(found), SIGNIFICANCE) > ODD


@pytest.mark.parametrize("kind", ["well lit", "sparse", "nested"])
@pytest.mark.parametrize("freedom", list(Freedom))
def test_p_values_of_an_unchanged_detector_are_uniform(kind: str, freedom: Freedom) -> None:
    assert_only_chance([unchanged(seed, kind, freedom) for seed in range(40)])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["well lit", "sparse", "nested"])
@pytest.mark.parametrize("freedom", list(Freedom))
def test_p_values_of_an_unchanged_detector_are_uniform_a_thousand_times(
    kind: str, freedom: Freedom
) -> None:
    assert_only_chance([unchanged(5000 + seed, kind, freedom) for seed in range(1000)])


def test_data_taken_twice_as_independent_would_be_found_out() -> None:
    """The test of uniformity can fail: a combination compared as if it shared nothing."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        still, n = truth(rng, Freedom.FULL), counts(rng)
        one, other = seen(rng, LAYOUT, still, n), seen(rng, LAYOUT, still, n)
        found.append(compared(estimate(LAYOUT, [one]), estimate(LAYOUT, [one, other])))
    with pytest.raises(AssertionError):
        assert_only_chance(found)


def moved_by(still: Correction, panel: int, shift_mm: tuple[float, float]) -> Correction:
    values = still.values.copy()
    values[panel, :2] += shift_mm
    return Correction(values)


@pytest.mark.parametrize("freedom", list(Freedom))
def test_one_panel_that_moved_50_um_is_named_and_no_other(freedom: Freedom) -> None:
    named = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        before, n = truth(rng, freedom), counts(rng)
        after = moved_by(before, 4, (0.03, 0.04))
        found = compared(
            estimate(LAYOUT, [seen(rng, LAYOUT, before, n, freedom)], freedom),
            estimate(LAYOUT, [seen(rng, LAYOUT, after, n, freedom)], freedom),
        )
        assert found.verdict is not Verdict.SAME
        assert 4 in found.moved
        named.append((found.verdict, found.moved))
        off = (found.shift[4, :2] - [0.03, 0.04]) / found.sigma[4, :2]
        assert np.abs(off).max() < 4.0
    # One false alarm in a hundred is what SIGNIFICANCE admits.
    assert named.count((Verdict.REPLACED, (4,))) >= 9


def test_all_panels_that_moved_a_little_are_a_drift() -> None:
    rng = np.random.default_rng(1)
    before, n = truth(rng, Freedom.IN_PLANE), counts(rng)
    values = before.values.copy()
    values[:, :2] += rng.normal(scale=0.01, size=(N, 2))
    found = compared(
        estimate(LAYOUT, [seen(rng, LAYOUT, before, n, Freedom.IN_PLANE)], Freedom.IN_PLANE),
        estimate(
            LAYOUT, [seen(rng, LAYOUT, Correction(values), n, Freedom.IN_PLANE)], Freedom.IN_PLANE
        ),
    )
    assert found.verdict is Verdict.DRIFTED
    assert found.p_value < 1e-10


@pytest.mark.parametrize("freedom", list(Freedom))
def test_a_detector_that_was_remounted_has_not_changed(freedom: Freedom) -> None:
    rng = np.random.default_rng(2)
    before, n = truth(rng, freedom), counts(rng)
    turn = np.array([0.0, 0.0, 1e-3]) if freedom is Freedom.IN_PLANE else np.full(3, 5e-4)
    along = np.array([0.2, -0.3, 0.0 if freedom is Freedom.IN_PLANE else 0.1])
    frames = before.frames(LAYOUT).moved(RigidMotion(rotation_from_vector(turn), along))
    after = Correction.between(LAYOUT, frames)
    still = estimate(LAYOUT, [seen(rng, LAYOUT, before, n, freedom)], freedom)
    turned = replace(still, correction=_moved_alike(still.correction, turn, along))
    assert compared(still, turned).verdict is Verdict.SAME
    assert np.nanmax(np.abs(compared(still, turned).shift[:, :3])) < 1e-3
    again = estimate(LAYOUT, [seen(rng, LAYOUT, after, n, freedom)], freedom)
    assert compared(still, again).verdict is Verdict.SAME


def _moved_alike(correction: Correction, turn: Floats, along: Floats) -> Correction:
    motion = RigidMotion(rotation_from_vector(turn), along)
    return Correction.between(LAYOUT, correction.frames(LAYOUT).moved(motion))


def test_the_way_back_is_the_way_there_with_another_sign() -> None:
    rng = np.random.default_rng(3)
    before, n = truth(rng, Freedom.FULL), counts(rng)
    one = estimate(LAYOUT, [seen(rng, LAYOUT, before, n)])
    other = estimate(LAYOUT, [seen(rng, LAYOUT, moved_by(before, 2, (0.05, 0.0)), n)])
    there, back = compared(one, other), compared(other, one)
    assert np.allclose(there.shift, -back.shift, atol=1e-9)
    assert np.allclose(there.sigma, back.sigma, rtol=1e-6)
    assert (there.verdict, there.moved) == (back.verdict, back.moved)
    assert there.chi_square == pytest.approx(back.chi_square, rel=1e-6)


def test_a_panel_without_reflections_is_not_compared() -> None:
    rng = np.random.default_rng(4)
    before, n = truth(rng, Freedom.FULL), counts(rng)
    n[7] = 0.0
    far = moved_by(before, 7, (3.0, 0.0))
    found = compared(
        estimate(LAYOUT, [seen(rng, LAYOUT, before, n)]),
        estimate(LAYOUT, [seen(rng, LAYOUT, far, n)]),
    )
    assert found.verdict is Verdict.SAME
    assert 7 not in found.compared
    assert np.isnan(found.shift[7]).all()
    assert found.panel_p_value[7] == 1.0
    assert (
        "1 of 10 panels are not measured in both calibrations and were not compared." in found.notes
    )


def test_other_freedoms_are_compared_where_both_are_free() -> None:
    rng = np.random.default_rng(5)
    flat, n = truth(rng, Freedom.IN_PLANE), counts(rng)
    one = estimate(LAYOUT, [seen(rng, LAYOUT, flat, n)])
    other = estimate(LAYOUT, [seen(rng, LAYOUT, flat, n, Freedom.IN_PLANE)], Freedom.IN_PLANE)
    found = compared(one, other)
    assert found.parameters == (0, 1, 5)
    assert found.degrees_of_freedom == 3 * N - 3
    assert found.verdict is Verdict.SAME
    assert np.isnan(found.shift[:, 2:5]).all()
    assert "heights seen from different positions" in " ".join(found.notes)


def test_two_calibrations_of_the_same_data_show_no_drift() -> None:
    rng = np.random.default_rng(6)
    still, n = truth(rng, Freedom.FULL), counts(rng)
    one = seen(rng, LAYOUT, still, n)
    loose = PanelPrior(shift_mm=1.0, normal_mm=0.5, tilt_rad=1.5e-2)
    found = drift(
        LAYOUT,
        ComparedCalibration(estimate(LAYOUT, [one]), PRIOR),
        ComparedCalibration(estimate(LAYOUT, [one], prior=loose), loose),
        (1.0, 1.0),
    )
    assert (found.verdict, found.p_value, found.degrees_of_freedom) == (Verdict.SAME, 1.0, 0)
    assert "the same data" in found.notes[0]


def test_data_that_are_partly_shared_never_look_surer_than_they_are() -> None:
    plane = Freedom.IN_PLANE
    false = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        still, n = truth(rng, plane), counts(rng)
        common, one, other = (seen(rng, LAYOUT, still, n, plane) for _ in range(3))
        found = compared(
            estimate(LAYOUT, [common, one], plane),
            estimate(LAYOUT, [common, other], plane),
            (0.5, 0.5),
        )
        assert "a small drift may be missed" in found.notes[0]
        false += found.verdict is not Verdict.SAME
    assert false <= 1


def test_a_barrel_in_its_planes_keeps_all_but_the_motion_along_its_axis() -> None:
    layout = barrel()
    rng = np.random.default_rng(7)
    values = np.zeros((len(layout), 6))
    values[:, [0, 1, 5]] = rng.normal(size=(len(layout), 3)) * [0.1, 0.1, 1.5e-3]
    n = np.full(len(layout), 400.0)
    one, other = (
        estimate(
            layout,
            [seen(rng, layout, Correction(values), n, Freedom.IN_PLANE)],
            Freedom.IN_PLANE,
        )
        for _ in range(2)
    )
    found = drift(
        layout, ComparedCalibration(one, PRIOR), ComparedCalibration(other, PRIOR), INDEPENDENT
    )
    assert found.degrees_of_freedom == 3 * len(layout) - 1
    assert found.verdict is Verdict.SAME


def test_calibrations_of_other_detectors_are_refused() -> None:
    rng = np.random.default_rng(8)
    small = known_layout("PILATUS 300K")
    one = estimate(small, [seen(rng, small, Correction.none(3), np.full(3, 400.0))])
    with pytest.raises(LayoutError, match="3 panels cannot be compared on a layout of 10"):
        compared(one, one)


def solved_pair(seed: int, freedom: Freedom) -> Drift:
    """The same through the whole solver: new panels, crystals and noise each time."""
    layout = known_layout("PILATUS 300K")
    rng = np.random.default_rng(40_000 + seed)
    values = np.zeros((3, 6))
    drawn = random_correction(rng, layout, AS_THE_PRIOR_SAYS).values
    values[:, freedom.free] = drawn[:, freedom.free]
    plan = ScanPlan(1500, cell_angstrom=(31.0, 31.0, 74.0))
    pose = facing_pose(layout, 120.0, beam_centre_mm=(2.0, -3.0))
    one, other = (
        ComparedCalibration(
            solution(
                [simulated_scan(rng, layout, Correction(values), pose, plan, name).dataset],
                layout,
                options(freedom, prior=PRIOR),
            ).estimate,
            PRIOR,
        )
        for name in ("one", "other")
    )
    return drift(layout, one, other, INDEPENDENT)


@pytest.mark.parametrize("freedom", list(Freedom))
def test_p_values_from_the_whole_solver_are_uniform(freedom: Freedom) -> None:
    assert_only_chance([solved_pair(seed, freedom) for seed in range(12)])


@pytest.mark.long
@pytest.mark.parametrize("freedom", list(Freedom))
def test_p_values_from_the_whole_solver_are_uniform_300_times(freedom: Freedom) -> None:
    assert_only_chance([solved_pair(1000 + seed, freedom) for seed in range(300)])
