"""Effects of detector, beam, spindle and goniometer move reflections by what physics predicts."""

from __future__ import annotations

import numpy as np
import pytest

from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.beam import BeamDrift
from calib.simulate.effects.crystal import CrystalDrift
from calib.simulate.effects.detector import DetectorDrift, Sag
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.kappa import Kappa
from calib.simulate.effects.sample import SampleOffset
from calib.simulate.effects.spindle import SpindleTilt, Wobble
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.still import StillsPlan, simulated_stills
from support.effect_laws import (
    LAYOUT,
    POSE,
    RANGE_RAD,
    SAME_MM,
    TRUTH,
    exact,
    exact_stills,
    fits,
    matched,
    misses,
    plain,
    share_of,
    turned,
)
from support.forward import Scene, Sweep, traced

S0 = np.array([0.0, 0.0, -1.0 / 0.97625])


@pytest.mark.parametrize(
    "plan",
    [
        ScanPlan(800),
        ScanPlan(500, range_rad=1.0, outlier_share=0.1, sensor_mm=0.45, shadowed=((0, 7),)),
    ],
)
def test_without_effects_the_scan_is_the_one_without_effects(plan: ScanPlan) -> None:
    rngs = [np.random.default_rng(3) for _ in range(2)]
    mine = affected_scan(rngs[0], LAYOUT, TRUTH, POSE, plan, "scan").dataset
    other = simulated_scan(rngs[1], LAYOUT, TRUTH, POSE, plan, "scan").dataset
    assert np.array_equal(mine.reflections.miller_index, other.reflections.miller_index)
    assert mine.reflections.centroid_mm == pytest.approx(other.reflections.centroid_mm, abs=1e-10)
    assert np.array_equal(mine.reflections.variance_mm, other.reflections.variance_mm)
    (a,), (b,) = mine.experiments.experiments, other.experiments.experiments
    assert a.identifier == b.identifier
    assert np.array_equal(
        mine.experiments.crystals[0].real_space, other.experiments.crystals[0].real_space
    )


def test_without_effects_stills_are_the_ones_without_effects() -> None:
    plan = StillsPlan(6, 40, noise_px=1e-12, start_shift_mm=0.0, start_turn_rad=0.0)
    rng = np.random.default_rng(2)
    other = simulated_stills(rng, LAYOUT, TRUTH, POSE, plan, "stills").dataset
    mine = exact_stills().dataset
    assert np.array_equal(mine.reflections.miller_index, other.reflections.miller_index)
    assert mine.reflections.centroid_mm == pytest.approx(other.reflections.centroid_mm, abs=1e-9)


def test_without_effects_reflections_are_where_true_models_put_them() -> None:
    assert fits(plain())


def test_a_drifting_detector_is_where_its_speed_has_taken_it() -> None:
    shift, turn = np.array([0.02, 0.05, -0.4]), np.array([3e-4, -2e-4, 1e-3])
    found = exact(DetectorDrift(tuple(shift), tuple(turn)))
    way = (share_of(found) - 0.5)[:, None]
    assert fits(found, detector_mm=way * shift, detector_turn=turned(way * turn))
    assert misses(found)[0] > 0.05


def test_a_sagging_detector_goes_down_and_comes_to_rest() -> None:
    found = exact(Sag(0.08, 5e-4))
    settled = (1.0 - np.exp(-4.0 * share_of(found)))[:, None]
    down, nod = np.array([0.0, -0.08, 0.0]), np.array([5e-4, 0.0, 0.0])
    assert fits(found, detector_mm=settled * down, detector_turn=turned(settled * nod))


@pytest.mark.parametrize("waves", [0.0, 3.0])
def test_a_drifting_beam_has_turned_by_its_angle(waves: float) -> None:
    found = exact(BeamDrift(2e-3, (0.0, 1.0, 0.0), waves))
    share = share_of(found)
    way = 0.5 * np.sin(2.0 * np.pi * waves * share) if waves else share - 0.5
    turn = turned(np.outer(2e-3 * way, [0.0, 1.0, 0.0]))
    assert fits(found, s0=turn @ S0)
    assert misses(found)[1] > 5e-5


def test_a_tilted_spindle_leans_towards_the_beam() -> None:
    found = exact(SpindleTilt(5e-4))
    assert fits(found, axis=np.array([np.cos(5e-4), 0.0, -np.sin(5e-4)]))
    assert not fits(found)


def test_a_spindle_tilted_about_the_beam_is_a_rotated_crystal_and_detector() -> None:
    tilt = 5e-4
    found = exact(SpindleTilt(0.0, tilt))
    assert fits(found, axis=np.array([np.cos(tilt), np.sin(tilt), 0.0]))


def test_a_wobbling_spindle_describes_a_cone_twice_in_a_revolution() -> None:
    found = exact(Wobble(4e-4))
    angle = 2.0 * found.dataset.reflections.centroid_mm[:, 2]
    nod = np.column_stack([np.zeros(len(angle)), -np.cos(angle), -np.sin(angle)])
    assert fits(found, after=turned(4e-4 * nod))


def test_a_wobble_of_one_period_is_another_orientation_of_the_crystal() -> None:
    found = exact(Wobble(4e-4, periods=1))
    same = np.tile(turned([0.0, -4e-4, 0.0]), (len(share_of(found)), 1, 1))
    mm, rad = misses(found, crystal=same)
    assert mm < SAME_MM
    assert rad < 1e-9


def test_a_sample_off_the_spindle_runs_around_it() -> None:
    offset = np.array([0.01, 0.03, -0.02])
    found = exact(SampleOffset(tuple(offset)))
    phi = found.dataset.reflections.centroid_mm[:, 2]
    assert fits(found, sample_mm=turned(np.outer(phi, [1.0, 0.0, 0.0])) @ offset)
    assert 0.01 < misses(found)[0] < 0.1


def test_the_sphere_of_confusion_moves_the_sample_twice_in_a_revolution() -> None:
    found = exact(SampleOffset((0.0, 0.0, 0.0), (0.0, 0.02, 0.0)))
    phi = found.dataset.reflections.centroid_mm[:, 2]
    assert fits(found, sample_mm=np.outer(np.sin(2.0 * phi), [0.0, 0.02, 0.0]))


def test_kappa_scans_share_a_crystal_that_the_goniometer_has_turned() -> None:
    found = exact(Kappa((0.0, 0.6)), n=400)
    models = found.dataset.experiments
    assert [e.crystal for e in models.experiments] == [0, 0]
    assert [e.scan for e in models.experiments] == [0, 1]
    table = found.dataset.reflections
    scene = Scene(
        LAYOUT, TRUTH, (POSE,), models.beams, models.goniometers, models.crystals,
        tuple(Sweep(scan, goniometer=k) for k, scan in enumerate(models.scans)),
    )  # fmt: skip
    for number in range(2):
        mine = table.experiment == number
        assert mine.sum() == 200
        centroid = table.centroid_mm[mine]
        again = traced(scene, number, table.miller_index[mine], table.panel[mine], centroid[:, 2])
        assert np.abs(again - centroid).max() < 1e-7
    turn = models.goniometers[1].fixed
    assert np.arccos((np.trace(turn) - 1.0) / 2.0) == pytest.approx(0.6)


def test_kappa_axes_that_do_not_reproduce_rotate_each_scan_by_its_own_error() -> None:
    ideal, off = exact(Kappa((0.0, 0.6)), n=400), exact(Kappa((0.0, 0.6), 1e-3, seed=3), n=400)
    assert np.array_equal(
        ideal.dataset.experiments.goniometers[1].fixed, off.dataset.experiments.goniometers[1].fixed
    )
    i, j = matched(ideal, off)
    one, other = ideal.dataset.reflections, off.dataset.reflections
    shift = np.linalg.norm((one.centroid_mm[i] - other.centroid_mm[j])[:, :2], axis=1)
    # A milliradian about three axes moves spots by about .1 mm at 120 mm; each scan differs.
    for number in range(2):
        assert 0.005 < np.median(shift[one.experiment[i] == number]) < 0.4


def test_effects_add_up_and_their_order_does_not_matter() -> None:
    drift, beam = DetectorDrift((0.0, 0.05, 0.0)), BeamDrift(5e-4)
    one, other = exact(drift, beam, CrystalDrift()), exact(CrystalDrift(), beam, drift)
    assert np.abs(
        one.dataset.reflections.centroid_mm - other.dataset.reflections.centroid_mm
    ).max() < 1e-7  # fmt: skip


@pytest.mark.parametrize("effect", [DetectorDrift((0.0, 0.06, 0.0)), Sag(0.06)])
def test_a_detector_that_drifts_over_stills_moves_from_still_to_still(effect: Effect) -> None:
    ideal, off = exact_stills(), exact_stills(effect)
    i, j = matched(ideal, off)
    one, other = ideal.dataset.reflections, off.dataset.reflections
    shift = other.centroid_mm[j, :2] - one.centroid_mm[i, :2]
    share = one.experiment[i] / 5.0
    way = (share - 0.5) if isinstance(effect, DetectorDrift) else -(1.0 - np.exp(-4.0 * share))
    up_on_panel = (TRUTH.frames(LAYOUT).moved(POSE).rotation[one.panel[i]])[:, 1, :2]
    # The spots move against the detector; tilts of some 10 mrad change that by a per cent.
    assert shift == pytest.approx(-0.06 * way[:, None] * up_on_panel, abs=3e-3)
    assert np.ptp(shift) > 0.05


def test_the_range_of_the_laws_is_that_of_the_scan() -> None:
    assert share_of(plain()).max() == pytest.approx(1.0, abs=0.02)
    (scan,) = plain().dataset.experiments.scans
    assert scan.end_rad == pytest.approx(RANGE_RAD)
