"""Stills: where their reflections fall, how that changes, and what they say of the panels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.still import SimulatedStills, StillsPlan, simulated_stills
from calib.simulate.truth import random_correction
from calib.solve.algebra.rigid_motion import tangents_from_parameters
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS
from calib.solve.joint.dataset_state import DatasetState, update_weights
from support.errors import deviations, errors_of
from support.scenes import options, simulation, solution, started

SAME_MM = 1e-9
SAME_RAD = 1e-12
EVERYTHING = slice(0, None)
DERIVATIVE_TOLERANCE = 2e-7
THREE_SD = 3.0


def stills(seed: int = 1, **changes: float) -> tuple[Layout, Correction, SimulatedStills]:
    layout = known_layout("PILATUS 1M")
    truth = random_correction(np.random.default_rng(1), layout)
    pose = facing_pose(layout, 150.0, beam_centre_mm=(3.0, 4.0), tilt_rad=(0.01, 0.02, 0.03))
    plan = replace(StillsPlan(n_crystals=20), **changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return layout, truth, simulated_stills(rng, layout, truth, pose, plan, f"stills{seed}")


@cache
def exact() -> tuple[DatasetFit, Correction, Floats]:
    layout, truth, made = stills(
        noise_px=1e-9,
        start_shift_mm=0.0,
        start_turn_rad=0.0,
        start_crystal_rad=0.0,
        start_cell_share=0.0,
    )
    return started(made.dataset, layout, options()), truth, made.delta_psi_rad


def calculated(fit: DatasetFit, correction: Correction) -> Floats:
    return fit.predictor(correction).predict(fit.seen, EVERYTHING, derivatives=False).calculated


def jacobian(fit: DatasetFit, correction: Correction) -> Floats:
    found = fit.predictor(correction).predict(fit.seen, EVERYTHING, derivatives=True)
    assert found.jacobian is not None
    return found.jacobian


def test_reflections_fall_where_the_simulator_puts_them() -> None:
    fit, truth, delta_psi = exact()
    residuals = fit.residuals(truth)
    assert residuals.shape[1] == 2000
    assert np.abs(residuals[:2]).max() < SAME_MM
    assert np.abs(np.sort(-residuals[2]) - np.sort(delta_psi)).max() < SAME_RAD


@pytest.mark.parametrize("parameter", range(CRYSTAL_COLUMNS))
def test_crystal_derivatives_are_those_of_its_rotation_and_strain(parameter: int) -> None:
    fit, truth, _ = exact()
    step = 1e-6
    change = np.zeros((20, 1, CRYSTAL_COLUMNS))
    change[:, 0, parameter] = step

    def moved(by: Floats) -> Floats:
        nothing = Step(np.zeros(6), np.zeros((1, 6)), tuple(by), 0.0)
        return calculated(fit.moved(nothing), truth)

    numeric = (moved(change) - moved(-change)) / (2.0 * step)
    scale = np.abs(numeric).max(axis=1, keepdims=True)
    assert (scale[:2] > 1e-3).all()
    analytic = jacobian(fit, truth)[:, PANEL_COLUMNS + parameter]
    assert (np.abs(analytic - numeric) <= DERIVATIVE_TOLERANCE * scale + SAME_RAD / step).all()


@pytest.mark.parametrize("parameter", range(6))
def test_panel_derivatives_are_those_of_the_corrections_parameters(parameter: int) -> None:
    fit, truth, _ = exact()
    to_tangent = tangents_from_parameters(truth)[fit.seen.panel, :, parameter]
    found = jacobian(fit, truth)
    analytic = np.einsum("ckn,nk->cn", found[:, :PANEL_COLUMNS], to_tangent)
    step = 1e-4 if parameter < 3 else 1e-6
    change = np.zeros_like(truth.values)
    change[:, parameter] = step
    higher, lower = (calculated(fit, Correction(truth.values + s * change)) for s in (1, -1))
    numeric = (higher - lower) / (2.0 * step)
    assert np.abs(analytic - numeric).max() <= DERIVATIVE_TOLERANCE * np.abs(numeric).max()
    assert np.abs(found[:, BEAM_COLUMN]).max() == 0.0


def test_stills_determine_the_panels_as_well_as_they_claim() -> None:
    layout, truth, made = stills(seed=3, n_crystals=60)
    found = solution([made.dataset], layout)
    assert found.report.convergence.converged
    assert any(
        word.endswith("rotation of the whole detector about the beam")
        for word in found.report.null_directions
    )
    assert found.acceptance.accepted, found.acceptance.reasons
    errors = errors_of(layout, found.estimate, truth)
    assert abs(deviations(errors.chi_square, errors.degrees)) < THREE_SD


def test_delta_psi_is_weighted_by_the_scatter_of_its_own_crystal() -> None:
    fit, truth, _ = exact()
    rough = fit.seen.experiment % 2 == 0
    observed = fit.seen.observed.copy()
    observed[2, rough] += np.random.default_rng(6).normal(scale=8e-3, size=int(rough.sum()))
    fit = replace(fit, seen=replace(fit.seen, observed=observed))
    found, _ = update_weights(DatasetState(fit, fit), truth, True)
    sigma = found.fit.seen.sigma[2] * found.fit.scale[2]
    residuals = fit.residuals(truth)[2]
    for crystal in range(20):
        mine = fit.seen.experiment == crystal
        assert len(set(sigma[mine].tolist())) == 1
        assert sigma[mine][0] == pytest.approx(residuals[mine].std(), rel=0.35)
    assert sigma[rough].mean() > 2.5 * sigma[~rough].mean()


def test_stills_and_scans_are_solved_together() -> None:
    layout, _, scan = simulation("PILATUS 1M", n_reflections=4000)
    _, _, made = stills(seed=5)
    alone = solution([scan.dataset], layout)
    both = solution([scan.dataset, made.dataset], layout)
    assert both.report.convergence.converged
    assert [use.n_crystals for use in both.report.datasets] == [1, 20]

    def spread(one: object) -> float:
        return float(np.trace(one.estimate.covariance))  # type: ignore[attr-defined]

    assert spread(both) < spread(alone)


def test_every_fifth_reflection_of_each_still_is_held_out_and_halves_are_of_other_crystals() -> (
    None
):
    fit, _, _ = exact()
    seen = fit.seen
    for crystal in range(20):
        mine = seen.experiment == crystal
        assert seen.held_out[mine].sum() == 20
        assert set((seen.fold[mine] // 2).tolist()) == {crystal % 2}


def test_halves_alternate_over_datasets_of_one_still_each() -> None:
    layout, _, made = stills(1, n_crystals=1)
    datasets = [replace(made.dataset, name=f"still {k}") for k in range(4)]
    for place, one in enumerate(solution(datasets, layout, options()).statements):
        in_halves = one.used_on_panel.sum(axis=1)
        assert in_halves[place % 2] > 0
        assert in_halves[1 - place % 2] == 0
