"""Panels, datasets and crystals with few reflections lean on the prior."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.errors import SolveError
from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.detector.families import known_layout
from calib.model.detector.frames import fit_rigid
from calib.model.detector.layout import Layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.panels.solution import Solution
from calib.solve.prior import KINDS, PanelPrior
from support.forward import measured
from support.scenes import (
    general_scene,
    options,
    solution,
    started,
)
from support.two_distances import (
    in_sigma,
    near_alone,
    near_and_far,
    shape_difference_mm,
)


@cache
def shadowed() -> tuple[Layout, Correction, Solution]:
    layout = known_layout("PILATUS 1M")
    rng = np.random.default_rng(31)
    truth = random_correction(rng, layout)
    plan = ScanPlan(n_reflections=5000, shadowed=((0, 0), (1, 6), (8, 30), (9, 4)))
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
    assert {status[k] for k in range(2, 8)} == {PanelStatus.MEASURED}
    assert (status[9], counts[9]) == (PanelStatus.UNMEASURED, 0), "four may all be outliers"
    assert counts.sum() == found.report.datasets[0].n_reflections


def test_an_unmeasured_panel_moves_with_its_group_and_is_as_uncertain_as_it_was_assembled() -> None:
    layout, _, found = shadowed()
    sigma, values = found.estimate.sigma[0], found.estimate.correction.values
    assert found.report.prior is not None
    (level,) = found.report.prior.levels
    prior = np.array(level.widths)[list(KINDS)]
    assert (sigma > 0.99 * prior).all()
    assert (sigma < 1.35 * prior).all()
    # It moves only with the rigid motion that fits the rest.
    others = list(range(1, 9))
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
    chosen[np.flatnonzero(table.panel == 4)[5:]] = False
    sparse = replace(near, reflections=table.where(chosen))
    sigma = []
    for tolerance in (0.2, 0.02):
        prior = PanelPrior(shift_mm=tolerance, held=True)
        found = solution([sparse], layout, options(prior=prior))
        sigma.append(found.estimate.sigma[4])
        assert found.estimate.status[4] is PanelStatus.SPARSE
        assert 0 < found.estimate.n_reflections[4] <= 5
    assert sigma[1][0] < 0.021
    assert sigma[0][0] < 0.15, "reflections with 0.017 mm each constrain more than the assembly"
    assert sigma[1][0] < sigma[0][0]


def test_a_tight_prior_holds_and_a_loose_one_lets_go() -> None:
    layout, truth, near, _ = near_and_far()
    tight = solution([near], layout, options(prior=PanelPrior(1e-5, 1e-5, 1e-7, held=True)))
    assert np.abs(tight.estimate.correction.values).max() < 1e-4
    loose = solution([near], layout, options(prior=PanelPrior(10.0, 10.0, 0.1, held=True)))
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
