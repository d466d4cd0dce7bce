"""Simulated scans are what they say: physics, noise, outliers, shadows, starts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout
from calib.model.experiment.parallax import mm_from_px
from calib.model.experiment.pose import facing_pose
from calib.simulate.plans import SEED_SIZE
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import Tolerance, random_correction
from support.forward import Scene, Sweep, traced

EXACT: dict[str, Any] = {
    "noise_px": 1e-12,
    "noise_phi_images": 1e-12,
    "start_shift_mm": 0.0,
    "start_turn_rad": 0.0,
    "start_crystal_rad": 0.0,
    "start_cell_share": 0.0,
}
"""A plan without noise, and with true starts."""
SAME_MM = 1e-9
SAME_RAD = 1e-11
PIXEL_MM = 0.172
LAYOUT = known_layout("PILATUS 300K")
POSE = facing_pose(LAYOUT, 120.0, beam_centre_mm=(2.0, -3.0), tilt_rad=(0.01, -0.02, 0.015))
TRUTH = random_correction(np.random.default_rng(4), LAYOUT)


def simulated(seed: int = 1, **changes: Any) -> SimulatedScan:
    plan = replace(ScanPlan(n_reflections=3000), **changes)
    return simulated_scan(np.random.default_rng(seed), LAYOUT, TRUTH, POSE, plan, "scan")


@cache
def exact() -> SimulatedScan:
    return simulated(**EXACT)


def scene_of(scan: SimulatedScan, layout: Layout = LAYOUT) -> Scene:
    """The same for the independent model; its crystal is the true one where starts are true."""
    models = scan.dataset.experiments
    return Scene(
        layout,
        TRUTH,
        (scan.true_pose,),
        models.beams,
        models.goniometers,
        models.crystals,
        (Sweep(models.scans[0]),),
    )


def test_reflections_fall_where_an_independent_model_puts_them() -> None:
    table = exact().dataset.reflections
    found = traced(scene_of(exact()), 0, table.miller_index, table.panel, table.centroid_mm[:, 2])
    assert np.abs(found[:, :2] - table.centroid_mm[:, :2]).max() < SAME_MM
    assert np.abs(found[:, 2] - table.centroid_mm[:, 2]).max() < SAME_RAD


def test_every_reflection_is_on_its_panel_and_in_the_scan() -> None:
    table = exact().dataset.reflections
    assert (table.centroid_mm[:, :2] >= 0.0).all()
    assert (table.centroid_mm[:, :2] < LAYOUT.size_mm[table.panel]).all()
    assert (table.centroid_mm[:, 2] >= 0.0).all()
    assert (table.centroid_mm[:, 2] < 2.0 * np.pi).all()
    assert table.indexed.all()
    assert not table.flagged((10, 17, 25, 27)).any()


def test_reflections_come_from_near_the_spindle_too() -> None:
    """Where the lattice grazes the sphere, down to an angle that data reduction leaves out."""
    table, frames = exact().dataset.reflections, TRUTH.frames(LAYOUT).moved(POSE)
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], table.centroid_mm[:, :2])
    lab += frames.origin_mm[table.panel]
    nearness = np.abs(lab[:, 1]) / np.linalg.norm(lab, axis=1)
    assert (nearness < 0.05).sum() > 10
    graze = np.abs(lab[:, 1]) / np.hypot(lab[:, 0], lab[:, 1])
    assert graze.min() < 0.1


def test_no_passage_is_measured_twice_and_each_index_at_most_twice() -> None:
    table = exact().dataset.reflections
    _, counts = np.unique(table.miller_index, axis=0, return_counts=True)
    assert counts.max() == 2
    passages = np.column_stack([table.miller_index, np.round(table.centroid_mm[:, 2], 9)])
    assert len(np.unique(passages, axis=0)) == len(table)


@pytest.mark.parametrize("range_deg", [10.0, 90.0])
def test_a_short_scan_ends_where_it_says(range_deg: float) -> None:
    scan = simulated(range_rad=np.radians(range_deg), n_reflections=500, **EXACT)
    phi = scan.dataset.reflections.centroid_mm[:, 2]
    assert 0.0 <= phi.min() < 0.1 * phi.max()
    assert 0.9 * np.radians(range_deg) < phi.max() < np.radians(range_deg)
    (swept,) = scan.dataset.experiments.scans
    assert swept.end_rad == pytest.approx(np.radians(range_deg))
    assert swept.image_range == (1, round(range_deg / 0.1))


def noise(scan: SimulatedScan) -> Floats:
    """(n, 3) deviations from the exact positions in claimed standard deviations."""
    other = simulated(**{**EXACT, "outlier_share": 0.0})
    table, true = scan.dataset.reflections, other.dataset.reflections
    assert np.array_equal(table.miller_index, true.miller_index)
    return np.asarray((table.centroid_mm - true.centroid_mm) / np.sqrt(table.variance_mm))


def test_noise_is_normal_and_as_large_as_the_variances_say() -> None:
    found = noise(simulated())
    assert found.std(axis=0) == pytest.approx(np.ones(3), abs=0.05)
    assert np.abs(found.mean(axis=0)).max() < 0.08
    assert 2.5 < np.abs(found).max() < 5.5
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.08
    table = simulated().dataset.reflections
    assert table.variance_mm[:, 0] == pytest.approx((0.1 * PIXEL_MM) ** 2)
    assert table.variance_mm[:, 2] == pytest.approx((0.1 * np.radians(0.1)) ** 2)


def test_outliers_are_as_many_and_as_wild_as_planned() -> None:
    scan = simulated(outlier_share=0.1)
    wild = scan.outlier == 1
    assert wild.mean() == pytest.approx(0.1, abs=0.02)
    found = noise(scan)
    assert np.abs(found[~wild]).max() < 5.5
    assert found[wild][:, :2].std() == pytest.approx(40.0, rel=0.15)
    assert found[wild][:, 2].std() == pytest.approx(10.0, rel=0.15)


def test_what_is_handed_over_is_the_detector_as_drawn_near_the_true_pose() -> None:
    scan = simulated()
    detector = scan.dataset.detector
    given = detector.lab_from_root
    assert given is not None
    drawn = LAYOUT.frames.moved(given)
    assert np.abs(drawn.origin_mm - detector.frames.origin_mm).max() == 0.0
    shift = given.translation_mm - scan.true_pose.translation_mm
    assert 0.0 < np.abs(shift).max() < 2.0
    turn = given.rotation @ scan.true_pose.rotation.T
    assert 0.0 < np.abs(turn - np.eye(3)).max() < 5e-3


def test_the_crystal_that_is_handed_over_is_near_the_true_one_and_tetragonal() -> None:
    true, near = (
        exact().dataset.experiments.crystals[0],
        simulated().dataset.experiments.crystals[0],
    )
    change = near.real_space @ np.linalg.inv(true.real_space)
    assert 1e-5 < np.abs(change - np.eye(3)).max() < 5e-3
    a, b, c = np.linalg.norm(near.real_space, axis=1)
    assert a == pytest.approx(b, rel=1e-12)
    assert abs(c / a - 150.2 / 57.8) > 1e-6


def test_shadowed_panels_have_at_most_what_the_plan_says() -> None:
    scan = simulated(shadowed=((0, 7), (2, 0)))
    counts = np.bincount(scan.dataset.reflections.panel, minlength=3)
    assert counts[0] == 7
    assert counts[2] == 0
    assert counts.sum() == 3000


def test_reflections_become_rarer_with_resolution() -> None:
    steep, flat = (simulated(fall_off_angstrom2=b, **EXACT) for b in (60.0, 0.0))

    def mean_inverse_d2(scan: SimulatedScan) -> float:
        (crystal,) = scan.dataset.experiments.crystals
        r = scan.dataset.reflections.miller_index @ crystal.a_matrix.T
        return float((r**2).sum(axis=1).mean())

    assert mean_inverse_d2(steep) < 0.7 * mean_inverse_d2(flat)


def test_more_than_reach_the_detector_are_not_to_be_had() -> None:
    with pytest.raises(InputError) as caught:
        simulated(n_reflections=10_000_000)
    assert caught.value.code == "too-few-reflections"


def test_the_same_seed_gives_the_same_scan_and_another_one_another() -> None:
    one, same, other = simulated(3), simulated(3), simulated(4)
    mine = one.dataset.reflections
    assert np.array_equal(mine.centroid_mm, same.dataset.reflections.centroid_mm)
    names = [scan.dataset.experiments.experiments[0].identifier for scan in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert not np.array_equal(mine.miller_index, other.dataset.reflections.miller_index)


def test_with_a_sensor_positions_in_mm_are_those_of_the_pixels_and_the_drawn_geometry() -> None:
    """The pixel is where the photon was absorbed, on the true panels; mm are of the drawn ones."""
    scan = simulated(sensor_mm=0.45, sensor_mu_per_mm=1.2, **EXACT)
    plain = exact()
    assert scan.dataset.detector.sensors.parallax.all()
    table, true = scan.dataset.reflections, plain.dataset.reflections
    shift = table.centroid_mm[:, :2] - true.centroid_mm[:, :2]
    # The same depth is added on the true panels and taken off on the drawn ones: nearly nothing.
    assert 1e-6 < np.abs(shift).max() < 5e-3
    # Without the correction it would be much.
    px = true.centroid_mm[:, :2] / PIXEL_MM
    corrected = mm_from_px(px, table.panel, scan.dataset.detector)
    assert np.abs(corrected - true.centroid_mm[:, :2]).max() > 0.02


def test_the_seed_size_plan_is_that_of_the_issue() -> None:
    assert SEED_SIZE.n_reflections == 190_000
    assert SEED_SIZE.outlier_share == 0.03
    assert SEED_SIZE.noise_px == 0.1
    assert SEED_SIZE.range_rad == pytest.approx(2.0 * np.pi)
    assert dict(SEED_SIZE.shadowed).keys() == {0, 4, 55, 59}


# Truth and scores.


def test_panels_scatter_as_the_tolerance_says() -> None:
    layout = known_layout("PILATUS 6M")
    rng = np.random.default_rng(5)
    tolerance = Tolerance(0.2, 0.03, 2e-3)
    many = np.concatenate([random_correction(rng, layout, tolerance).values for _ in range(50)])
    assert many.std(axis=0) == pytest.approx([0.2, 0.2, 0.03, 2e-3, 2e-3, 2e-3], rel=0.05)
    assert np.abs(many.mean(axis=0) / many.std(axis=0)).max() < 0.1


def moved_panel(values: Floats) -> Correction:
    out = TRUTH.values.copy()
    out[1] += values
    return Correction(out)


def test_a_perfect_estimate_has_no_error_nor_has_one_that_is_off_as_a_whole() -> None:
    errors = corner_errors(LAYOUT, TRUTH, TRUTH, POSE)
    assert errors.in_plane_um < 1e-6
    assert errors.normal_um < 1e-6
    whole = Correction.between(LAYOUT, TRUTH.frames(LAYOUT).moved(POSE))
    errors = corner_errors(LAYOUT, whole, TRUTH, POSE)
    assert errors.in_plane_um < 1e-6
    assert errors.normal_um < 1e-6


def test_errors_are_separated_by_direction() -> None:
    """Half of a panel's shift stays with it, as the fit shares it out among three in a row."""
    along = corner_errors(LAYOUT, moved_panel(np.array([0.1, 0, 0, 0, 0, 0])), TRUTH, POSE)
    # Residuals 2/3, 1/3, 1/3 of the shift: root mean square 0.471.
    assert along.in_plane_um == pytest.approx(47.1, rel=0.02)
    assert along.normal_um < 1.0
    out = corner_errors(LAYOUT, moved_panel(np.array([0, 0, 0.1, 0, 0, 0])), TRUTH, POSE)
    assert out.normal_um == pytest.approx(47.1, rel=0.02)
    assert out.in_plane_um < 1.0
    assert 1.0 < out.seen_um < 30.0


def test_only_chosen_panels_count() -> None:
    off = moved_panel(np.array([0.1, 0.1, 0.1, 1e-3, 0, 0]))
    chosen = np.array([True, False, True])
    assert corner_errors(LAYOUT, off, TRUTH, POSE, chosen).in_plane_um < 1e-6
