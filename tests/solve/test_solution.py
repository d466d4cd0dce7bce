"""The whole solver on data with known truth: what it finds, from where, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.errors import InputError, SolveError
from calib.model.arrays import Floats
from calib.model.correction import Correction, Freedom, PanelStatus
from calib.model.dataset import Dataset
from calib.model.experiment import Crystal
from calib.model.families import known_layout
from calib.model.frames import RigidMotion, fit_rigid, rotation_from_vector
from calib.model.layout import Layout
from calib.model.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import drawn_correction
from calib.solve.outcome import Solution
from calib.solve.panels import PanelSystem
from calib.solve.prior import PanelPrior
from support.forward import measured, with_models
from support.scenes import (
    barrel,
    fits,
    general_scene,
    options,
    quiet,
    refined,
    simulation,
    solution,
    started,
)

ONE_MICROMETRE_MM = 1e-3
TENTH_OF_A_MILLIMETRE = 0.1
"""The panels' own mean shift along the normal is part of the distance."""
SETTLED_SIGMA = 0.05
"""Two converged iterations agree to better: each stops when a step is below 0.02."""


def corners_of(layout: Layout, correction: Correction) -> Floats:
    return np.asarray(correction.frames(layout).points(layout.corners_panel_mm()).reshape(-1, 3))


def shape_difference_mm(layout: Layout, one: Correction, other: Correction) -> float:
    """The farthest distance of two detectors' corners after the rigid motion that fits best."""
    here, there = corners_of(layout, one), corners_of(layout, other)
    aligned = fit_rigid(here, there, np.ones(len(here))).points(here)
    return float(np.linalg.norm(aligned - there, axis=1).max())


def in_sigma(found: Solution, other: Solution) -> float:
    """The largest difference of two solutions in standard deviations."""
    free = list(found.estimate.freedom.free)
    difference = found.estimate.correction.values - other.estimate.correction.values
    return float(np.abs(difference[:, free] / found.estimate.sigma[:, free]).max())


def starting_at(dataset: Dataset, pose: RigidMotion, layout: Layout) -> Dataset:
    """The same data with another pose in the file."""
    (detector,) = dataset.experiments.detectors
    moved = replace(detector, frames=layout.frames.moved(pose), lab_from_root=pose)
    return with_models(dataset, replace(dataset.experiments, detectors=(moved,)))


def turned_crystal(dataset: Dataset, turn_rad: Floats, swelling: float) -> Dataset:
    """The same data with the crystal elsewhere in the file."""
    (crystal,) = dataset.experiments.crystals
    turn = rotation_from_vector(turn_rad)
    other = Crystal(crystal.real_space * (1.0 + swelling) @ turn.T, crystal.hall_symbol)
    return with_models(dataset, replace(dataset.experiments, crystals=(other,)))


def away_from_the_spindle(dataset: Dataset) -> Dataset:
    """Without the reflections that one start leaves in and another one out."""
    table, frames = dataset.reflections, dataset.detector.frames
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], table.centroid_mm[:, :2])
    lab += frames.origin_mm[table.panel]
    return replace(
        dataset,
        reflections=table.where(np.abs(lab[:, 1]) > 0.05 * np.linalg.norm(lab, axis=1)),
    )


@cache
def near_and_far() -> tuple[Layout, Correction, Dataset, Dataset]:
    layout, truth, near = simulation(seed=1, distance_mm=150.0)
    _, _, far = simulation(seed=2, distance_mm=400.0)
    return layout, truth, away_from_the_spindle(near.dataset), away_from_the_spindle(far.dataset)


@cache
def both_distances() -> Solution:
    layout, _, near, far = near_and_far()
    return solution([near, far], layout, options())


@cache
def near_alone(freedom: Freedom) -> Solution:
    layout, _, near, _ = near_and_far()
    return solution([near], layout, options(freedom))


# What it finds.


def test_panels_are_found_where_they_truly_stand() -> None:
    layout, truth, scan = simulation()
    found = near_alone(Freedom.FULL)
    errors = corner_errors(layout, found.estimate.correction, truth, scan.true_pose)
    start = corner_errors(layout, Correction.none(10), truth, scan.true_pose)
    assert start.in_plane_um > 100.0
    assert errors.in_plane_um < 6.0
    assert errors.normal_um < 15.0
    assert found.acceptance.accepted
    assert set(found.estimate.status) == {PanelStatus.MEASURED}


def test_a_second_distance_tells_what_one_cannot() -> None:
    """Half the reflections at 150 mm and half at 400, or all of them at 400."""
    layout, truth, near = simulation(seed=11, distance_mm=150.0, n_reflections=3000)
    _, _, far = simulation(seed=12, distance_mm=400.0, n_reflections=3000)
    _, _, twice = simulation(seed=13, distance_mm=400.0, n_reflections=6000)
    both = solution([near.dataset, far.dataset], layout).estimate
    one = solution([twice.dataset], layout).estimate
    errors = [corner_errors(layout, e.correction, truth, near.true_pose) for e in (both, one)]
    assert errors[0].normal_um < 0.5 * errors[1].normal_um
    assert both.sigma[:, 2].mean() < 0.5 * one.sigma[:, 2].mean()


def test_datasets_keep_their_own_poses_and_share_the_panels() -> None:
    layout, truth, _, _ = near_and_far()
    found = both_distances()
    distances = [use.distance_mm for use in found.report.datasets]
    assert distances == pytest.approx([150.0, 400.0], abs=TENTH_OF_A_MILLIMETRE)
    assert shape_difference_mm(layout, found.estimate.correction, truth) < 25 * ONE_MICROMETRE_MM
    assert found.report.gauge == 6


def test_held_parameters_are_zero() -> None:
    found = near_alone(Freedom.IN_PLANE)
    assert not found.estimate.correction.values[:, [2, 3, 4]].any()
    assert found.estimate.correction.values[:, [0, 1, 5]].all()


def test_everything_at_once_is_refined_together() -> None:
    """Turned goniometers, two wavelengths, a backward scan, one crystal in two sweeps, triclinic
    and monoclinic cells, all in one dataset."""
    scene = general_scene(3)
    rng = np.random.default_rng(3)
    small = Correction(rng.normal(size=(10, 6)) * [0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3])
    dataset = measured(replace(scene, correction=small), rng)
    found = solution([dataset], scene.layout)
    assert found.report.convergence.converged
    assert found.report.datasets[0].n_crystals == 3
    error = found.estimate.correction.values - small.values
    gauge = rigid_motions(scene.layout, found)
    sigma = found.estimate.sigma.ravel()
    left = (
        error.ravel()
        - gauge @ np.linalg.lstsq(gauge / sigma[:, None], error.ravel() / sigma, rcond=None)[0]
    )
    assert np.sqrt(np.mean((left / sigma) ** 2)) == pytest.approx(1.0, abs=0.3)
    scales = found.report.datasets[0].weight_scale
    assert scales == pytest.approx((1.0, 1.0, 1.0), abs=0.1)


def rigid_motions(layout: Layout, found: Solution) -> Floats:
    """(6 n, 6) the rigid motions of all panels, by finite differences."""
    correction, out = found.estimate.correction, []
    for step in 1e-6 * np.eye(6):
        moved = correction.frames(layout).moved(
            RigidMotion(rotation_from_vector(1e-2 * step[3:]), step[:3])
        )
        out.append((Correction.between(layout, moved).values - correction.values).ravel() / 1e-6)
    return np.array(out).T


# Gauge and starts.


@pytest.mark.parametrize("freedom", list(Freedom))
def test_the_start_does_not_matter(freedom: Freedom) -> None:
    layout, _, near, _ = near_and_far()
    pose = near.detector.lab_from_root
    assert pose is not None
    shifted = RigidMotion(
        rotation_from_vector(np.array([0.004, -0.003, 0.005])), np.array([1.0, -0.8, 1.5])
    )
    other = turned_crystal(starting_at(near, shifted @ pose, layout), np.full(3, 2e-3), 2e-3)
    found = solution([other], layout, options(freedom))
    assert found.report.convergence.converged
    assert in_sigma(found, near_alone(freedom)) < SETTLED_SIGMA


def test_a_rigid_motion_of_all_panels_changes_nothing_but_the_pose() -> None:
    """The same detector, drawn from another root frame: the same data."""
    layout, truth, near, _ = near_and_far()
    motion = RigidMotion(
        rotation_from_vector(np.array([2e-3, 1e-3, -3e-3])), np.array([0.4, -0.3, 0.2])
    )
    moved = Correction.between(layout, truth.frames(layout).moved(motion))
    pose = simulation()[2].true_pose @ motion.inverse()
    corners = layout.corners_panel_mm()
    here = truth.frames(layout).moved(simulation()[2].true_pose).points(corners)
    assert np.abs(moved.frames(layout).moved(pose).points(corners) - here).max() < 1e-9
    found = solution([starting_at(near, pose, layout)], layout)
    plain = near_alone(Freedom.FULL)
    assert in_sigma(found, plain) < SETTLED_SIGMA
    assert found.report.datasets[0].distance_mm == pytest.approx(
        plain.report.datasets[0].distance_mm, abs=ONE_MICROMETRE_MM
    )


@pytest.mark.parametrize(
    ("freedom", "gauge"), [(Freedom.FULL, 6), (Freedom.IN_PLANE, 3)], ids=["full", "in-plane"]
)
def test_a_flat_detector_leaves_rigid_motions_to_convention(freedom: Freedom, gauge: int) -> None:
    assert near_alone(freedom).report.gauge == gauge


@cache
def on_a_barrel(freedom: Freedom) -> tuple[Layout, Correction, RigidMotion, Solution]:
    layout = barrel()
    rng = np.random.default_rng(8)
    values = np.zeros((len(layout), 6))
    scale = np.array([0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3])
    values[:, freedom.free] = (rng.normal(size=values.shape) * scale)[:, freedom.free]
    pose = RigidMotion(rotation_from_vector(rng.normal(scale=2e-3, size=3)), rng.normal(size=3))
    scan = simulated_scan(
        rng, layout, Correction(values), pose, ScanPlan(n_reflections=8000), "barrel"
    )
    return layout, Correction(values), pose, solution([scan.dataset], layout, options(freedom))


def test_a_barrel_leaves_one_rigid_motion_in_its_planes_along_its_axis() -> None:
    layout, truth, _, found = on_a_barrel(Freedom.IN_PLANE)
    assert found.report.gauge == 1
    error = (found.estimate.correction.values - truth.values)[:, [0, 1, 5]]
    error[:, 0] -= error[:, 0].mean()
    sigma = found.estimate.sigma[:, [0, 1, 5]]
    assert np.sqrt(np.mean((error / sigma) ** 2)) == pytest.approx(1.0, abs=0.3)
    assert len(layout) == 18


def test_a_barrel_is_found_with_full_freedom_too() -> None:
    layout, truth, pose, found = on_a_barrel(Freedom.FULL)
    assert found.report.gauge == 6
    errors = corner_errors(layout, found.estimate.correction, truth, pose)
    assert errors.seen_um < 10.0


@pytest.mark.parametrize("freedom", list(Freedom))
def test_a_detector_that_is_too_large_is_seen_to_be(freedom: Freedom) -> None:
    """Scale is no gauge: panels that stand apart by a part in two thousand."""
    layout = known_layout("PILATUS 1M")
    middle = layout.centre_root_mm.mean(axis=0)
    values = np.zeros((10, 6))
    values[:, :2] = 5e-4 * (layout.centre_root_mm - middle)[:, :2]
    rng = np.random.default_rng(21)
    pose = facing_pose(layout, 150.0)
    scan = simulated_scan(rng, layout, Correction(values), pose, ScanPlan(), "swollen")
    found = solution([scan.dataset], layout, options(freedom)).estimate.correction.values
    arm = (layout.centre_root_mm - middle)[:, :2]
    centred = found[:, :2] - found[:, :2].mean(axis=0)
    scale = float((centred * arm).sum() / (arm**2).sum())
    assert scale == pytest.approx(5e-4, rel=0.05)


def test_the_largest_wrong_starts_that_indexing_can_leave_are_overcome() -> None:
    """Three millimetres, six milliradians, a crystal off by four and a cell by half a per cent."""
    layout, _, near, _ = near_and_far()
    pose = near.detector.lab_from_root
    assert pose is not None
    shifted = RigidMotion(
        rotation_from_vector(np.array([0.006, -0.005, 0.006])), np.array([3.0, -2.5, 2.0])
    )
    other = turned_crystal(starting_at(near, shifted @ pose, layout), np.full(3, 4e-3), 5e-3)
    found = solution([other], layout)
    assert found.report.convergence.converged
    assert in_sigma(found, near_alone(Freedom.FULL)) < SETTLED_SIGMA


def test_models_that_have_nothing_to_do_with_the_data_are_told() -> None:
    layout, _, near, _ = near_and_far()
    elsewhere = RigidMotion(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 500.0]))
    with pytest.raises(SolveError) as caught:
        solution([starting_at(near, elsewhere, layout)], layout)
    assert caught.value.code == "not-predictable"
    assert caught.value.place == "seed1"
    assert "dials.refine" in caught.value.remedy


# Prior and sparse panels.


@cache
def shadowed() -> tuple[Layout, Correction, Solution]:
    layout = known_layout("PILATUS 1M")
    rng = np.random.default_rng(31)
    truth = drawn_correction(rng, layout)
    plan = ScanPlan(n_reflections=5000, shadowed=((0, 0), (1, 3), (8, 30)))
    scan = simulated_scan(rng, layout, truth, facing_pose(layout, 150.0), plan, "shadowed")
    return layout, truth, solution([scan.dataset], layout)


def test_a_panel_says_what_its_correction_rests_on() -> None:
    _, _, found = shadowed()
    status, counts = found.estimate.status, found.estimate.n_reflections
    assert status[0] is PanelStatus.UNMEASURED
    assert counts[0] == 0
    for sparse in (1, 8):
        assert status[sparse] is PanelStatus.SPARSE
        assert 0 < counts[sparse] < 50
    assert {status[k] for k in (2, 3, 4, 5, 6, 7, 9)} == {PanelStatus.MEASURED}
    assert counts.sum() == found.report.datasets[0].n_reflections


def test_an_unmeasured_panel_moves_with_its_group_and_is_as_uncertain_as_it_was_assembled() -> None:
    layout, _, found = shadowed()
    sigma, values = found.estimate.sigma[0], found.estimate.correction.values
    prior = PanelPrior().sigma()
    assert (sigma > 0.99 * prior).all()
    assert (sigma < 1.35 * prior).all()
    # Nothing else tells it from the rest than the rigid motion that fits the rest.
    others = list(range(1, 10))
    corners = layout.corners_panel_mm()
    drawn = layout.frames.points(corners)
    moved = Correction(values).frames(layout).points(corners)
    rest = fit_rigid(
        drawn[others].reshape(-1, 3), moved[others].reshape(-1, 3), np.ones(4 * len(others))
    )
    assert np.linalg.norm(rest.points(drawn[0]) - moved[0], axis=1).max() < 0.1


def test_a_sparse_panel_leans_on_the_prior() -> None:
    layout, _, near, _ = near_and_far()
    table = near.reflections
    chosen = np.ones(len(table), dtype=np.bool_)
    chosen[np.flatnonzero(table.panel == 4)[2:]] = False
    sparse = replace(near, reflections=table.where(chosen))
    sigma = []
    for tolerance in (0.2, 0.02):
        prior = PanelPrior(shift_mm=tolerance)
        found = solution([sparse], layout, options(Freedom.IN_PLANE, prior=prior))
        sigma.append(found.estimate.sigma[4])
        assert found.estimate.status[4] is PanelStatus.SPARSE
        assert found.estimate.n_reflections[4] == 2
    assert sigma[1][0] < 0.021
    assert sigma[0][0] < 0.15, "two reflections with 0.017 mm each tell more than the assembly"
    assert sigma[1][0] < sigma[0][0]


def test_a_tight_prior_holds_and_a_loose_one_lets_go() -> None:
    layout, truth, near, _ = near_and_far()
    tight = solution([near], layout, options(prior=PanelPrior(1e-5, 1e-5, 1e-7)))
    assert np.abs(tight.estimate.correction.values).max() < 1e-4
    loose = solution([near], layout, options(prior=PanelPrior(10.0, 10.0, 0.1)))
    assert shape_difference_mm(layout, loose.estimate.correction, truth) < 0.06
    assert (loose.estimate.sigma >= near_alone(Freedom.FULL).estimate.sigma - 1e-9).all()


def test_a_detector_without_a_populated_panel_is_refused() -> None:
    layout, _, near, _ = near_and_far()
    few = replace(near, reflections=near.reflections.where(np.arange(0, len(near.reflections), 30)))
    counts = np.bincount(few.reflections.panel).max()
    with pytest.raises(SolveError) as caught:
        solution([few], layout)
    assert caught.value.code == "all-panels-sparse"
    assert f"the fullest has {counts} usable reflections" in str(caught.value)


@pytest.mark.parametrize("n_kept", [1, 2, 3, 5, 8])
def test_a_dataset_of_a_few_reflections_does_no_harm(n_kept: int) -> None:
    layout, _, near, far = near_and_far()
    rows = np.random.default_rng(0).permutation(len(far.reflections))[:n_kept]
    few = replace(far, reflections=far.reflections.where(np.sort(rows)))
    found = solution([near, few], layout)
    assert found.report.convergence.converged
    assert in_sigma(found, near_alone(Freedom.FULL)) < 0.5
    named = sum("few" in word or "seed2" in word for word in found.report.null_directions)
    assert named == min(6, max(0, 11 - 3 * n_kept))


def test_a_crystal_of_three_reflections_does_no_harm() -> None:
    scene = general_scene(4)
    rng = np.random.default_rng(4)
    values = rng.normal(size=(10, 6)) * [0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3]
    dataset = measured(replace(scene, correction=Correction(values)), rng)
    table = dataset.reflections
    mine = np.flatnonzero(table.experiment == 3)
    without = replace(dataset, reflections=table.where(table.experiment != 3))
    few = np.sort(np.concatenate([np.flatnonzero(table.experiment != 3), mine[:3]]))
    with_few = replace(dataset, reflections=table.where(few))
    plain, found = (solution([d], scene.layout) for d in (without, with_few))
    assert found.report.convergence.converged
    assert in_sigma(found, plain) < 0.5
    assert (plain.report.datasets[0].n_crystals, found.report.datasets[0].n_crystals) == (2, 3)


def test_crystals_and_poses_of_other_datasets_in_the_file_cost_no_degrees_of_freedom() -> None:
    dataset = measured(general_scene(), np.random.default_rng(1))
    layout = known_layout("PILATUS 1M")
    whole = started(dataset, layout, options(pose_per_experiment=True))
    assert whole.n_parameters == 4 * 6 + (3 + 2) + (3 + 4) + (3 + 6)
    table = dataset.reflections
    part = replace(dataset, reflections=table.where(table.experiment < 2))
    assert started(part, layout, options(pose_per_experiment=True)).n_parameters == 2 * 6 + 3 + 2
    assert started(part, layout, options(free_beam=True)).n_parameters == 6 + 1 + 3 + 2


# Options.


def test_own_poses_of_experiments_are_determined_and_found() -> None:
    """Four sweeps whose detector stood in four places."""
    scene = general_scene(5)
    rng = np.random.default_rng(5)
    values = rng.normal(size=(10, 6)) * [0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3]
    wobble = [RigidMotion.identity()] + [
        RigidMotion(rotation_from_vector(rng.normal(scale=2e-4, size=3)), rng.normal(size=3) * 0.1)
        for _ in range(3)
    ]
    moving = replace(
        scene,
        correction=Correction(values),
        poses=tuple(motion @ scene.poses[0] for motion in wobble),
    )
    dataset = measured(moving, rng)
    shared, own = (
        solution([dataset], scene.layout, options(pose_per_experiment=each))
        for each in (False, True)
    )
    assert own.report.convergence.converged
    assert own.report.null_directions == ()
    assert max(own.report.datasets[0].weight_scale) < 1.15
    assert max(shared.report.datasets[0].weight_scale) > 1.3
    error = shape_difference_mm(scene.layout, own.estimate.correction, Correction(values))
    assert error < 0.1


def tilted_beam(dataset: Dataset, angle_rad: float) -> Dataset:
    """The same data with a beam in the file that is off in the plane of the spindle (x)."""
    (beam,) = dataset.experiments.beams
    turn = rotation_from_vector(np.array([0.0, angle_rad, 0.0]))
    wrong = replace(beam, direction=turn @ beam.direction)
    return with_models(dataset, replace(dataset.experiments, beams=(wrong,)))


def test_a_free_beam_is_determined_and_finds_its_tilt() -> None:
    layout, _, near, _ = near_and_far()
    tilted = tilted_beam(near, 2e-3)
    system = PanelSystem(layout, Freedom.FULL, PanelPrior())
    free = options(free_beam=True)
    found = refined([tilted], system, free, quiet)
    (fit,) = fits(found)
    s0 = fit.state.s0[:, 0]
    assert found.converged
    assert s0 / np.linalg.norm(s0) == pytest.approx([0.0, 0.0, -1.0], abs=1e-4)
    (held,) = fits(refined([tilted], system, options(), quiet))
    assert held.scale[2] > 1.5 * fit.scale[2]


def test_a_free_beam_that_was_right_changes_little() -> None:
    layout, _, near, _ = near_and_far()
    found = solution([near], layout, options(free_beam=True))
    assert found.report.null_directions == ()
    assert in_sigma(found, near_alone(Freedom.FULL)) < 2.0


def test_a_wrong_space_group_is_refused_and_a_lower_one_is_as_good() -> None:
    layout, _, near, _ = near_and_far()
    lower = solution([near], layout, options(hall_symbol=" P 1"))
    assert in_sigma(lower, near_alone(Freedom.FULL)) < 2.0
    with pytest.raises(InputError, match="does not have the symmetry") as caught:
        solution([near], layout, options(hall_symbol=" P 2 2 3"))
    assert caught.value.place == near.name


def test_flags_are_respected_unless_they_are_to_be_reconsidered() -> None:
    layout, _, near, _ = near_and_far()
    table = near.reflections
    flags = table.flags.copy()
    flags[::10] |= 1 << 17
    flagged = replace(near, reflections=replace(table, flags=flags))
    respected = solution([flagged], layout).report
    reconsidered = solution([flagged], layout, options(ignore_flags=True)).report
    (one,), (other,) = respected.datasets, reconsidered.datasets
    n_flagged = len(flags[::10])
    assert (one.n_flagged, other.n_flagged) == (n_flagged, 0)
    assert sum(respected.flagged_on_panel) == n_flagged
    assert other.n_reflections > one.n_reflections + 0.95 * n_flagged


def test_a_scan_without_a_goniometer_is_refused_by_name() -> None:
    layout, _, near, _ = near_and_far()
    models = near.experiments
    (rotating,) = models.experiments
    bare = replace(models, experiments=(replace(rotating, goniometer=None),))
    with pytest.raises(InputError) as caught:
        solution([with_models(near, bare)], layout)
    assert str(caught.value) == (
        "seed1: experiment 0 is a rotation scan without a goniometer. "
        "Try: import the images again with dials.import."
    )


# The same again.


def test_the_same_data_give_the_same_bits() -> None:
    layout, _, near, far = near_and_far()
    one, other = both_distances(), solution([near, far], layout, options())
    assert np.array_equal(one.estimate.correction.values, other.estimate.correction.values)
    assert np.array_equal(one.estimate.covariance, other.estimate.covariance)
    assert one.report == other.report


def test_the_order_of_datasets_counts_for_rounding_only() -> None:
    layout, _, near, far = near_and_far()
    other = solution([far, near], layout, options())
    assert in_sigma(other, both_distances()) < 1e-6


def test_the_order_of_reflections_counts_for_rounding_only() -> None:
    layout, _, near, _ = near_and_far()
    order = np.random.default_rng(1).permutation(len(near.reflections))
    shuffled = replace(near, reflections=near.reflections.where(order))
    assert in_sigma(solution([shuffled], layout), near_alone(Freedom.FULL)) < 1e-6


def test_the_same_dataset_twice_counts_twice() -> None:
    layout, _, near, _ = near_and_far()
    loose = options(Freedom.IN_PLANE, prior=PanelPrior(10.0, 10.0, 0.1))
    once, twice = (solution([near] * n, layout, loose) for n in (1, 2))
    assert in_sigma(once, twice) < SETTLED_SIGMA
    ratio = once.estimate.sigma[:, [0, 1, 5]] / twice.estimate.sigma[:, [0, 1, 5]]
    assert ratio == pytest.approx(np.sqrt(2.0), rel=1e-2)


def test_progress_is_told_stage_by_stage() -> None:
    layout, _, near, far = near_and_far()
    told: list[tuple[str, int, float, int]] = []
    system = PanelSystem(layout, Freedom.FULL, PanelPrior())
    found = refined([near, far], system, options(), lambda *what: told.append(what))
    assert [(stage, done) for stage, _, _, done in told[:2]] == [("rigid", 1), ("rigid", 2)]
    panels = [(k, rmsd) for stage, k, rmsd, done in told if stage == "panels" and done == 2]
    assert [iteration for iteration, _ in panels] == list(range(1, found.iterations + 1))
    assert panels[-1][1] < 0.3 * panels[0][1]
