"""The forward model of the solver: against independent ones, and its derivatives against
finite differences."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.experiment.dataset import Dataset
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.solve.algebra.rigid_motion import adjoints, tangents_from_parameters
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step, tilt_axes
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS, Predictor
from support.forward import Scene, measured, traced
from support.scenes import general_scene, options, simulation, started

SAME_MM = 1e-9
SAME_RAD = 1e-12
SAME = np.array([[SAME_MM], [SAME_MM], [SAME_RAD]])
EVERYTHING = slice(0, None)
DERIVATIVE_TOLERANCE = 2e-7
"""Of the largest derivative of a coordinate: central differences are no better."""


@cache
def exact() -> tuple[Scene, Dataset]:
    """A general scene and its dataset, noise kept (only the angles that are near count)."""
    scene = general_scene()
    return scene, measured(scene, np.random.default_rng(1))


@cache
def start() -> DatasetFit:
    scene, dataset = exact()
    return started(dataset, scene.layout, options())


def calculated(fit: DatasetFit, correction: Correction) -> Floats:
    return fit.predictor(correction).predict(fit.seen, EVERYTHING, derivatives=False).calculated


def truth_of(scene: Scene, fit: DatasetFit) -> Floats:
    out = np.empty((3, len(fit.seen)))
    for index in range(len(scene.sweeps)):
        mine = fit.seen.experiment == index
        hkl = fit.seen.hkl[:, mine].T.astype(np.int64)
        near = fit.seen.observed[2, mine]
        out[:, mine] = traced(scene, index, hkl, fit.seen.panel[mine], near).T
    return out


def test_reflections_fall_where_an_independent_model_puts_them() -> None:
    scene, _ = exact()
    found = calculated(start(), scene.correction)
    assert (np.abs(found - truth_of(scene, start())) < SAME).all()
    assert set(start().seen.experiment) == {0, 1, 2, 3}


def test_reflections_fall_where_the_simulator_puts_them() -> None:
    layout, truth, scan = simulation("PILATUS 300K", n_reflections=10)
    plan = ScanPlan(
        n_reflections=3000,
        noise_px=1e-12,
        noise_phi_images=1e-12,
        start_shift_mm=0.0,
        start_turn_rad=0.0,
        start_crystal_rad=0.0,
        start_cell_share=0.0,
    )
    made = simulated_scan(np.random.default_rng(5), layout, truth, scan.true_pose, plan, "exact")
    residuals = started(made.dataset, layout, options()).residuals(truth)
    assert residuals.shape[1] > 2900, "the few nearest to the spindle are left out"
    assert (np.abs(residuals) < SAME).all()


def test_the_angle_is_the_one_nearest_to_the_observation() -> None:
    scene, _ = exact()
    fit = start()
    plain = calculated(fit, scene.correction)
    turns = np.zeros((3, 1))
    turns[2] = 2.0 * np.pi
    moved = replace(fit, seen=replace(fit.seen, observed=fit.seen.observed - 3.0 * turns))
    assert (np.abs(calculated(moved, scene.correction) + 3.0 * turns - plain) < 10 * SAME).all()


def test_what_never_diffracts_or_flies_the_other_way_has_no_position() -> None:
    scene, _ = exact()
    fit = start()
    hkl = fit.seen.hkl.copy()
    hkl[:, 0] *= 100.0
    found = calculated(replace(fit, seen=replace(fit.seen, hkl=hkl)), scene.correction)
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 1:]).all()
    behind = fit.nuisance.translation_mm + np.array([0.0, 0.0, 1000.0])
    away = replace(fit.nuisance, translation_mm=behind)
    assert np.isnan(calculated(replace(fit, nuisance=away), scene.correction)).all()


def jacobian(fit: DatasetFit, correction: Correction) -> Floats:
    found = fit.predictor(correction).predict(fit.seen, EVERYTHING, derivatives=True)
    assert found.jacobian is not None
    return found.jacobian


def assert_derivative(analytic: Floats, higher: Floats, lower: Floats, step: float) -> None:
    """Central differences agree, coordinate by coordinate, and are not all nothing."""
    numeric = (higher - lower) / (2.0 * step)
    scale = np.abs(numeric).max(axis=1, keepdims=True)
    assert scale.max() > 1e-3
    assert (np.abs(analytic - numeric) <= DERIVATIVE_TOLERANCE * scale + 1e-7 * scale.max()).all()


@pytest.mark.parametrize("parameter", range(6))
def test_panel_derivatives_are_those_of_the_corrections_parameters(parameter: int) -> None:
    scene, _ = exact()
    fit, correction = start(), scene.correction
    to_tangent = tangents_from_parameters(correction)[fit.seen.panel, :, parameter]
    analytic = np.einsum("ckn,nk->cn", jacobian(fit, correction)[:, :PANEL_COLUMNS], to_tangent)
    step = 1e-4 if parameter < 3 else 1e-6
    values = np.zeros((len(scene.layout), 6))
    values[:, parameter] = step
    assert_derivative(
        analytic,
        calculated(fit, Correction(correction.values + values)),
        calculated(fit, Correction(correction.values - values)),
        step,
    )


def nuisance(**changes: Floats | tuple[Floats, ...] | float) -> Step:
    nothing = {
        "pose": np.zeros(6),
        "deviation": np.zeros((1, 6)),
        "crystal": (np.zeros((1, CRYSTAL_COLUMNS)),) * 3,
        "beam_rad": 0.0,
    }
    return Step(**{**nothing, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("parameter", range(6))
def test_pose_derivatives_are_panel_derivatives_through_the_adjoint(parameter: int) -> None:
    scene, _ = exact()
    fit, correction = start(), scene.correction
    stage = fit.predictor(correction)
    centre = fit.nuisance.pose().points(scene.layout.centre_root_mm.mean(axis=0))
    moves = adjoints(
        stage.panel_rotation[:, :, 0].transpose(2, 0, 1), stage.panel_centre_mm[:, 0].T, centre
    )[fit.seen.panel, :, parameter]
    analytic = np.einsum("ckn,nk->cn", jacobian(fit, correction)[:, :PANEL_COLUMNS], moves)
    step = 1e-4 if parameter < 3 else 1e-6
    change = step * np.eye(6)[parameter]
    assert_derivative(
        analytic,
        calculated(fit.moved(nuisance(pose=change)), correction),
        calculated(fit.moved(nuisance(pose=-change)), correction),
        step,
    )


@pytest.mark.parametrize("parameter", range(CRYSTAL_COLUMNS))
@pytest.mark.parametrize("which", range(3))
def test_crystal_derivatives_are_those_of_its_rotation_and_strain(
    which: int, parameter: int
) -> None:
    scene, _ = exact()
    fit, correction = start(), scene.correction
    mine = fit.instrument.crystal[fit.seen.experiment] == which
    analytic = jacobian(fit, correction)[:, PANEL_COLUMNS + parameter] * mine
    change = np.zeros((3, CRYSTAL_COLUMNS))
    change[which, parameter] = step = 1e-6
    assert_derivative(
        analytic,
        calculated(fit.moved(nuisance(crystal=tuple(change[:, None]))), correction),
        calculated(fit.moved(nuisance(crystal=tuple(-change[:, None]))), correction),
        step,
    )


def test_the_derivative_by_the_beams_tilt_is_that_of_the_tilt() -> None:
    scene, _ = exact()
    fit, correction = start(), scene.correction
    step = 1e-6
    assert_derivative(
        jacobian(fit, correction)[:, BEAM_COLUMN],
        calculated(fit.moved(nuisance(beam_rad=step)), correction),
        calculated(fit.moved(nuisance(beam_rad=-step)), correction),
        step,
    )


def test_the_beam_tilts_in_the_plane_that_holds_the_spindle_and_keeps_its_length() -> None:
    fit = start()
    spindle = fit.instrument.setting[:, 2]
    about = tilt_axes(fit.nuisance.s0, spindle)
    tilted = fit.moved(nuisance(beam_rad=1e-3)).nuisance.s0
    assert np.abs(np.einsum("ie,ie->e", about, spindle)).max() < 1e-12
    assert np.abs(np.einsum("ie,ie->e", about, tilted - fit.nuisance.s0)).max() < 1e-12
    assert np.linalg.norm(tilted, axis=0) == pytest.approx(
        np.linalg.norm(fit.nuisance.s0, axis=0), rel=1e-12
    )


def test_the_last_column_is_the_residual() -> None:
    scene, _ = exact()
    fit = start()
    last = jacobian(fit, scene.correction)[:, -1]
    assert np.array_equal(last, fit.seen.observed - calculated(fit, scene.correction))


def test_each_pose_carries_its_own_experiments() -> None:
    scene, dataset = exact()
    fit = started(dataset, scene.layout, options(pose_per_experiment=True))
    change = np.zeros((4, 6))
    change[2, 0] = 0.1
    moved = fit.moved(nuisance(deviation=change))
    shift = calculated(moved, scene.correction) - calculated(fit, scene.correction)
    mine = fit.seen.experiment == 2
    assert np.abs(shift[:2, mine]).max() > 0.05
    assert np.abs(shift[:, ~mine]).max() == 0.0


def test_a_stage_stands_where_correction_and_pose_put_the_panels() -> None:
    scene, _ = exact()
    fit = start()
    stage: Predictor = fit.predictor(scene.correction)
    frames = scene.correction.frames(scene.layout).moved(scene.poses[0])
    assert np.abs(stage.panel_rotation[:, :, 0].transpose(2, 0, 1) - frames.rotation).max() < 1e-12
    centres = frames.points(0.5 * scene.layout.size_mm[:, None, :])[:, 0]
    assert np.abs(stage.panel_centre_mm[:, 0].T - centres).max() < SAME_MM
