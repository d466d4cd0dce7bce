"""The whole solver on data with known truth: what it finds, and that it finds it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.simulate.score import corner_errors
from calib.solve.panels.solution import Solution
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior
from support.forward import measured
from support.scenes import (
    general_scene,
    options,
    refined,
    simulation,
    solution,
)
from support.two_distances import (
    ONE_MICROMETRE_MM,
    SETTLED_SIGMA,
    TENTH_OF_A_MILLIMETRE,
    away_from_the_spindle,
    both_distances,
    in_sigma,
    near_alone,
    near_and_far,
    shape_difference_mm,
)


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


def test_a_second_distance_determines_what_one_cannot() -> None:
    """Half the reflections at 150 mm and half at 400, or all of them at 400."""
    layout, truth, near = simulation(seed=11, distance_mm=150.0, n_reflections=3000)
    _, _, far = simulation(seed=12, distance_mm=400.0, n_reflections=3000)
    _, _, twice = simulation(seed=13, distance_mm=400.0, n_reflections=6000)
    held = options(prior=PanelPrior(held=True))
    both = solution([near.dataset, far.dataset], layout, held).estimate
    one = solution([twice.dataset], layout, held).estimate
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


def test_the_same_dataset_twice_gives_the_same_panels_but_no_smaller_sigma() -> None:
    """Residuals that repeat exactly are structure inside panels, not independent noise."""
    layout, _, near, _ = near_and_far()
    loose = options(Freedom.IN_PLANE, prior=PanelPrior(10.0, 10.0, 0.1))
    once, twice = (solution([near] * n, layout, loose) for n in (1, 2))
    assert in_sigma(once, twice) < SETTLED_SIGMA
    free = [0, 1, 5]
    assert (twice.estimate.sigma[:, free] > 0.9 * once.estimate.sigma[:, free]).all()


def test_another_dataset_of_the_same_kind_counts_as_much() -> None:
    layout, _, near, _ = near_and_far()
    _, _, another = simulation(seed=3, distance_mm=150.0)
    loose = options(Freedom.IN_PLANE, prior=PanelPrior(10.0, 10.0, 0.1))
    once = solution([near], layout, loose)
    both = solution([near, away_from_the_spindle(another.dataset)], layout, loose)
    ratio = once.estimate.sigma[:, [0, 1, 5]] / both.estimate.sigma[:, [0, 1, 5]]
    assert np.median(ratio) == pytest.approx(np.sqrt(2.0), rel=5e-2)


def test_progress_is_reported_stage_by_stage() -> None:
    layout, _, near, far = near_and_far()
    reported: list[tuple[str, int, float, int]] = []
    system = PanelSystem(layout, Freedom.FULL, PanelPrior())
    found = refined([near, far], system, options(), lambda *what: reported.append(what))
    assert [(stage, done) for stage, _, _, done in reported[:2]] == [("rigid", 1), ("rigid", 2)]
    panels = [(k, rmsd) for stage, k, rmsd, done in reported if stage == "panels" and done == 2]
    assert [iteration for iteration, _ in panels] == list(range(1, found.iterations + 1))
    assert panels[-1][1] < 0.3 * panels[0][1]


def test_the_share_of_dropped_reflections_is_that_of_all_datasets_together() -> None:
    layout, _, many = simulation("PILATUS 300K", n_reflections=900, outlier_share=0.1)
    _, _, few = simulation("PILATUS 300K", n_reflections=900, outlier_share=0.04, seed=2)
    found = solution([many.dataset, few.dataset], layout)
    dropped, held = np.sum([one.n_held_out for one in found.statements], axis=0).tolist()
    assert min(one.n_held_out[0] for one in found.statements) > 0
    assert found.report.held_out_dropped == pytest.approx(dropped / held)
