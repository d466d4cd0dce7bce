"""Where the solver starts, and which motions are a matter of convention."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from calib.errors import SolveError
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.score import corner_errors
from calib.solve.panels.solution import Solution
from support.scenes import (
    barrel,
    options,
    simulation,
    solution,
)
from support.two_distances import (
    ONE_MICROMETRE_MM,
    SETTLED_SIGMA,
    in_sigma,
    near_alone,
    near_and_far,
    starting_at,
    turned_crystal,
)


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


def test_models_unrelated_to_the_data_are_an_error() -> None:
    layout, _, near, _ = near_and_far()
    elsewhere = RigidMotion(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 500.0]))
    with pytest.raises(SolveError) as caught:
        solution([starting_at(near, elsewhere, layout)], layout)
    assert caught.value.code == "not-predictable"
    assert caught.value.place == "seed1"
    assert "dials.refine" in caught.value.remedy
