"""Options of the solver: poses, beam, symmetry and flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.errors import InputError
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior
from support.forward import measured, with_models
from support.scenes import (
    fits,
    general_scene,
    options,
    quiet,
    refined,
    solution,
)
from support.two_distances import (
    in_sigma,
    near_alone,
    near_and_far,
    shape_difference_mm,
)


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
    s0 = fit.nuisance.s0[:, 0]
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


def test_flags_are_considered_anew_obeyed_or_ignored() -> None:
    layout, _, near, _ = near_and_far()
    table = near.reflections
    flags = table.flags.copy()
    flags[::10] |= 1 << 17
    flagged = replace(near, reflections=replace(table, flags=flags))
    obeyed = solution([flagged], layout, options(obey_flags=True)).report
    ignored = solution([flagged], layout, options(ignore_flags=True)).report
    anew = solution([flagged], layout).report
    (one,), (other,), (new,) = obeyed.datasets, ignored.datasets, anew.datasets
    n_flagged = len(flags[::10])
    assert (one.n_flagged, other.n_flagged) == (n_flagged, 0)
    assert sum(obeyed.flagged_on_panel) == n_flagged
    assert other.n_reflections > one.n_reflections + 0.95 * n_flagged
    assert (one.n_readmitted, other.n_readmitted) == (0, 0)
    assert new.n_readmitted + new.n_flagged == n_flagged
    assert new.n_readmitted > 0.95 * n_flagged
    assert sum(anew.flagged_on_panel) == new.n_flagged


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


def test_the_usual_tolerances_are_those_of_assembly() -> None:
    """0.1 mm in the plane, 0.05 mm along the normal, 1 mrad about each axis; a tenth between the
    members of a group."""
    assert PanelPrior() == PanelPrior(0.1, 0.05, 1e-3, 10.0, None)
    assert PanelPrior().sigma() == pytest.approx([0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3])
