"""Rows of the what-if table, and the uncertainty of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.base.content import from_content, to_content
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose, locate_detector
from calib.model.result.drift import UncertaintyParts
from calib.model.result.report import LearnedPrior, Report
from calib.model.result.summary import Statement
from calib.model.result.what_if import SUBSETS, Choice, WhatIf, WhatIfRow
from calib.report.calibration.what_if import what_if_warnings
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.algebra.priors import BeamPrior
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.dataset.fit import DatasetFit
from calib.solve.datasets import refine_datasets
from calib.solve.drift.difference import CalibrationDifference, ComparedCalibration
from calib.solve.joint.dataset_state import DatasetState, apply_step, linearise
from calib.solve.joint.refinement import sum_equations
from calib.solve.options import Crystals, WhatIfRows
from calib.solve.panels.solution import Solution
from calib.solve.panels.system import PanelSystem
from calib.solve.panels.what_if.displacement import Displacement
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.summaries import solve_summaries
from support.scenes import options, quiet, solution

LAYOUT = known_layout("PILATUS 300K")
TRUTH = random_correction(
    np.random.default_rng(3), LAYOUT, Tolerance(shift_mm=0.02, normal_mm=0.01, tilt_rad=2e-4)
)
OPTIONS = options(
    free_beam=True,
    free_strain=True,
    free_shift=True,
    crystals=Crystals.AUTO,
    what_if=WhatIfRows.FULL,
)
LINEAR, LINEAR_HEIGHTS = 0.03, 0.1
"""Relative accuracy of one linear step for motions of some um."""
NOTHING, EVERYTHING = "nothing", "everything"
NUISANCE = {
    Choice.SYMMETRY_IMPOSED,
    Choice.BEAM_HELD,
    Choice.SHIFT_HELD,
    Choice.CRYSTALS_STATIC,
    Choice.PHI,
}


@cache
def scans(effects: str) -> tuple[Dataset, ...]:
    """Scans at two distances; with effects the cell lacks its symmetry, the crystal drifts and the
    beam is tilted towards the spindle."""
    found = []
    for seed, distance_mm in enumerate((200.0, 120.0)):
        with_effects = effects == EVERYTHING
        plan = ScanPlan(
            2500,
            range_rad=np.radians(60.0),
            cell_angstrom=(57.8, 57.8 * (1.008 if with_effects else 1.0), 150.2),
            drift_rad=5e-3 if with_effects else 0.0,
        )
        pose = facing_pose(LAYOUT, distance_mm, beam_centre_mm=(1.5, -2.0))
        rng = np.random.default_rng(5 + seed)
        data = simulated_scan(rng, LAYOUT, TRUTH, pose, plan, f"scan{seed}").dataset
        models = data.experiments
        (beam,) = models.beams
        turn = rotation_from_vector(np.array([0.0, 1e-3 * with_effects, 0.0]))
        beams = (replace(beam, direction=turn @ beam.direction),)
        found.append(replace(data, experiments=replace(models, beams=beams)))
    return tuple(found)


@cache
def solved(effects: str) -> Solution:
    return solution(list(scans(effects)), LAYOUT, OPTIONS)


def table(effects: str) -> WhatIf:
    found = solved(effects).report.what_if
    assert found is not None
    return found


def row_of(effects: str, choice: Choice, *datasets: int) -> WhatIfRow:
    rows = table(effects).rows
    return next(row for row in rows if (row.choice, row.datasets) == (choice, datasets))


def moved_um(effects: str, correction: Correction, freedom: Freedom) -> tuple[float, float]:
    """Root mean square motion of the panels in the plane and along the normal from the solution to
    another one, without rigid motions."""
    estimate, free = solved(effects).estimate, list(freedom.free)
    frames = estimate.correction.frames(LAYOUT)
    centre = frames.points(0.5 * LAYOUT.size_mm[:, None, :])[:, 0]
    to_tangent = tangents_from_parameters(estimate.correction)
    gauge = gauge_directions(frames.rotation, centre, to_tangent, freedom)
    held = (OPTIONS.prior.sigma()[free] ** -2.0)[None].repeat(len(LAYOUT), axis=0).ravel()
    apart = (correction.values - estimate.correction.values)[:, free].ravel()
    pull = held[:, None] * gauge
    apart = apart - gauge @ np.linalg.solve(gauge.T @ pull, pull.T @ apart)
    shift: Floats = 1e3 * apart.reshape(len(LAYOUT), -1)
    normal = shift[:, free.index(2)] if 2 in free else np.zeros(1)
    plane = np.sqrt((shift[:, :2] ** 2).sum(axis=1).mean())
    return float(plane), float(np.sqrt((normal**2).mean()))


# A row is the solution under another choice.


def held(**widths: float) -> Callable[[DatasetFit], DatasetFit]:
    return lambda fit: replace(fit, penalty=replace(fit.penalty, **widths))


ALONG_SCANS = ("turn_rad", "strain", "net_turn", "net_strain", "shift_mm", "bend_mm")
OTHERWISE: dict[Choice, Callable[[DatasetFit], DatasetFit]] = {
    Choice.SYMMETRY_IMPOSED: held(forbidden=1e-7),
    Choice.BEAM_HELD: lambda fit: replace(fit, beam_prior=BeamPrior(1e-7)),
    Choice.CRYSTALS_STATIC: held(**dict.fromkeys(ALONG_SCANS, 1e-7)),
    Choice.PHI: lambda fit: replace(fit, scale=fit.scale * [1.0, 1.0, 10.0]),
}


@pytest.mark.parametrize("choice", OTHERWISE)
def test_a_row_is_the_refinement_with_that_choice(choice: Choice) -> None:
    """With the same reflections, weights and widths of other priors."""
    system, correction, states = refined()
    executor = LocalExecutor(states)
    executor.map(changed, OTHERWISE[choice])
    for _ in range(4):
        total = sum_equations(one for one, _ in executor.imap(linearise, correction, False))
        step = system.step_of(correction, [total])
        correction = step.correction
        executor.map(apply_step, step.tangent)
    row = row_of(EVERYTHING, choice)
    plane, normal = moved_um(EVERYTHING, correction, Freedom.FULL)
    assert row.in_plane_um == pytest.approx(plane, rel=LINEAR, abs=0.01)
    assert row.normal_um == pytest.approx(normal, rel=LINEAR_HEIGHTS, abs=0.05)


@cache
def refined() -> tuple[PanelSystem, Correction, tuple[DatasetState, ...]]:
    """The solution with effects, and the state of each dataset at it."""
    data = scans(EVERYTHING)
    poses = [locate_detector(LAYOUT, one.detector, []).lab_from_root for one in data]
    system, found = refine_datasets(LocalExecutor(list(data)), poses, LAYOUT, OPTIONS, quiet)
    return system, found.correction, tuple(found.executor.map(lambda state: (state, state)))


def changed(
    state: DatasetState, change: Callable[[DatasetFit], DatasetFit]
) -> tuple[DatasetState, None]:
    return replace(state, fit=change(state.fit)), None


def combined(
    statements: Sequence[Statement], freedom: Freedom = Freedom.FULL, factor: float = 1.0
) -> Correction:
    """The solution of some datasets, with the widths of all data times a factor."""
    learned = solved(NOTHING).report.prior
    assert learned is not None
    levels = [
        replace(
            one,
            shift_mm=factor * one.shift_mm,
            normal_mm=factor * one.normal_mm,
            tilt_rad=factor * one.tilt_rad,
        )
        for one in learned.levels
    ]
    prior = replace(
        OPTIONS.prior, held=True, learned=LearnedPrior(tuple(levels), learned.deviating)
    )
    return solve_summaries(statements, LAYOUT, freedom, prior).estimate.correction


def test_rows_of_panels_and_priors_and_data_are_the_combinations_of_the_summaries() -> None:
    both = solved(NOTHING).statements
    cases = (
        (row_of(NOTHING, Choice.IN_PLANE), combined(both, Freedom.IN_PLANE)),
        (row_of(NOTHING, Choice.PRIOR_HALVED), combined(both, factor=0.5)),
        (row_of(NOTHING, Choice.PRIOR_DOUBLED), combined(both, factor=2.0)),
        (row_of(NOTHING, Choice.WITHOUT_DATASET, 0), combined(both[1:])),
        (row_of(NOTHING, Choice.WITHOUT_DATASET, 1), combined(both[:1])),
    )
    for row, correction in cases:
        freedom = Freedom.IN_PLANE if row.choice is Choice.IN_PLANE else Freedom.FULL
        plane, normal = moved_um(NOTHING, correction, freedom)
        assert row.in_plane_um == pytest.approx(plane, rel=LINEAR, abs=0.01), row.choice
        assert (row.normal_um or 0.0) == pytest.approx(normal, rel=LINEAR, abs=0.05), row.choice


# What rows say.


def test_without_effects_no_other_model_moves_the_panels_significantly() -> None:
    rows = [row for row in table(NOTHING).rows if row.choice in NUISANCE]
    assert {row.choice for row in rows} == NUISANCE
    assert min(row.p_value for row in rows) > 1e-3
    assert table(NOTHING).named == ()
    parts = table(NOTHING).parts
    assert parts.model_um is not None
    assert parts.model_um < 0.1 * parts.noise_um


def test_effects_that_a_narrower_model_lacks_are_named_with_their_codes() -> None:
    assert {row.choice for row in table(EVERYTHING).named} >= {
        Choice.SYMMETRY_IMPOSED,
        Choice.CRYSTALS_STATIC,
    }
    shown = what_if_warnings(solved(EVERYTHING).report)
    assert {one["code"] for one in shown} >= {"depends-on-symmetry", "depends-on-crystals"}
    assert all(one["size"] > 5.0 for one in shown)


def test_a_model_that_predicts_unseen_data_worse_does_not_count() -> None:
    for choice in (Choice.SYMMETRY_IMPOSED, Choice.CRYSTALS_STATIC):
        row = row_of(EVERYTHING, choice)
        assert row.prediction is not None
        assert row.prediction_sigma is not None
        assert row.prediction > 5.0 * row.prediction_sigma > 0.0
        assert row.weight is not None
        assert row.weight < 1e-6


def test_rows_with_fewer_data_predict_nothing_and_add_nothing() -> None:
    rows = [row for row in table(NOTHING).rows if row.choice in SUBSETS]
    assert {row.choice for row in rows} == SUBSETS - {Choice.FLAGS, Choice.WITHOUT_DISTANCE}
    assert {(row.prediction, row.weight) for row in rows} == {(None, None)}


def test_a_combination_of_summaries_does_not_estimate_the_model() -> None:
    found = solve_summaries(solved(NOTHING).statements, LAYOUT, Freedom.FULL, OPTIONS.prior)
    what_if = found.report.what_if
    assert what_if is not None
    assert what_if.model is None
    assert what_if.covariance(18) is None
    assert what_if.parts.model_um is None
    assert Choice.IN_PLANE in {row.choice for row in what_if.rows}
    assert not NUISANCE & {row.choice for row in what_if.rows}


# The uncertainty of the model.


def displaced(shift_mm: Floats, noise_mm: float) -> Displacement:
    noise = noise_mm**2 * np.eye(shift_mm.size)
    return Displacement((0, 1), shift_mm, noise, chi_square=0.0, degrees=0)


def test_what_noise_explains_adds_nothing_and_the_rest_counts() -> None:
    rng, every = np.random.default_rng(0), np.ones(20, dtype=np.bool_)
    shift: Floats = 1e-3 * rng.normal(size=(20, 2))
    assert displaced(shift, 1e-3).excess(every) < 0.1
    assert displaced(0.0 * shift, 1e-3).excess(every) == 0.0
    assert displaced(10.0 * shift, 1e-3).excess(every) == pytest.approx(0.985, abs=0.01)
    assert displaced(shift, 0.0).excess(every) == 1.0


def test_the_model_widens_the_uncertainty_of_a_difference_and_never_shrinks_it() -> None:
    estimate = solved(NOTHING).estimate
    size = np.tile([1e-3] * 3 + [1e-5] * 3, len(LAYOUT))
    vectors = size * np.random.default_rng(1).normal(size=(3, len(size)))
    model = WhatIf((), UncertaintyParts(1.0, 5.0, 2.0), tuple(map(tuple, vectors.tolist())))
    covariance = model.covariance(vectors.shape[1])
    assert covariance is not None
    assert np.linalg.eigvalsh(covariance).min() > -1e-18
    without, with_model = (
        CalibrationDifference(
            LAYOUT,
            ComparedCalibration(estimate, OPTIONS.prior),
            ComparedCalibration(estimate, OPTIONS.prior, model=one),
            (0.0, 0.0),
            0.005,
        )
        for one in (None, covariance)
    )
    assert without.parts.model_um is None
    assert with_model.parts.model_um is not None
    assert with_model.parts.model_um > 0.1
    assert np.trace(with_model.covariance) > np.trace(without.covariance)


def test_the_uncertainty_of_the_model_is_stored_and_read_again() -> None:
    report = solved(EVERYTHING).report
    again = from_content(Report, to_content(report))
    assert again.what_if == report.what_if
    assert "what_if" not in to_content(replace(report, what_if=None))
