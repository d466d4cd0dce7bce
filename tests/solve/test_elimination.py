"""Small blocks, Schur complements and the whole solution against dense algebra."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.optimize import least_squares

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.layout import Layout
from calib.solve.algebra.rigid_motion import adjoints, gauge_directions, tangents_from_parameters
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks, ExperimentSums
from calib.solve.dataset.observations import FOLDS
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.parameters import Step
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS, RESIDUAL_COLUMN
from calib.solve.dataset.symmetry import turned_strains
from calib.solve.joint.dataset_state import DatasetState, linearise
from calib.solve.joint.refinement import Refinement
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.prior import PanelPrior
from support.general import blocks_of, general_fit, near_truth
from support.scenes import (
    fits,
    options,
    quiet,
    refined,
    simulation,
    started,
    states,
)

RELATIVE = 1e-7
"""The normal equations of pose, crystals and panels lose half of the sixteen digits."""


def dense(fit: DatasetFit, correction: Correction) -> tuple[Floats, Floats, int]:
    """The full weighted normal matrix and vector: panels' tangents, pose, beam, then every
    crystal's rotation and allowed strains, then every pose deviation with its prior; and how many
    columns belong to the panels."""
    stage = fit.predictor(correction)
    prediction = stage.predict(fit.seen, slice(0, None), derivatives=True)
    assert prediction.jacobian is not None
    j, n_panels, n = prediction.jacobian, len(fit.layout), len(fit.seen)
    experiment, panel = fit.seen.experiment, fit.seen.panel
    panels = np.zeros((3, n, 6 * n_panels))
    for column in range(PANEL_COLUMNS):
        panels[:, np.arange(n), 6 * panel + column] = j[:, column]
    centre = fit.nuisance.pose().points(fit.layout.centre_root_mm.mean(axis=0))
    moves = adjoints(
        stage.panel_rotation.transpose(2, 3, 0, 1), stage.panel_centre_mm.transpose(1, 2, 0), centre
    )[fit.instrument.pose[experiment], panel]
    pose = np.einsum("ckn,nkm->cnm", j[:, :PANEL_COLUMNS], moves)
    columns = [panels, pose]
    if fit.beam_prior is not None:
        columns.append(j[:, BEAM_COLUMN][:, :, None])
    for which, allowed in enumerate(fit.instrument.strains):
        at_start = np.concatenate([allowed, fit.instrument.forbidden[which]], axis=1)
        strains = turned_strains(at_start, fit.nuisance.turned[which])
        mine = (fit.instrument.crystal[experiment] == which)[None, :, None]
        own = j[:, PANEL_COLUMNS:BEAM_COLUMN].transpose(0, 2, 1)
        columns += [own[:, :, :3] * mine, own[:, :, 3:] @ strains * mine]
    first = sum(block.shape[2] for block in columns)
    if fit.pose_prior is not None:
        columns += [
            pose * (experiment == e)[None, :, None] for e in range(len(fit.nuisance.rotation))
        ]
    full = np.concatenate(columns, axis=2).reshape(3 * n, -1)
    weight = fit.weights.reshape(-1)
    matrix = full.T @ (full * weight[:, None])
    vector = full.T @ (j[:, RESIDUAL_COLUMN].reshape(-1) * weight)
    column = 6 * n_panels + 6
    if fit.beam_prior is not None:
        matrix[column, column] += fit.beam_prior.tilt_rad**-2.0
        vector[column] -= fit.nuisance.beam_rad / fit.beam_prior.tilt_rad**2
        column += 1
    for which, allowed in enumerate(fit.instrument.strains):
        forbidden = fit.instrument.forbidden[which]
        column += 3 + allowed.shape[1]
        for strain in forbidden.T:
            matrix[column, column] += fit.penalty.forbidden**-2.0
            strained = strain @ fit.nuisance.strained[which]
            vector[column] -= strained / fit.penalty.forbidden**2
            column += 1
    if fit.pose_prior is not None:
        precision = fit.pose_prior.information()
        for e, deviation in enumerate(fit.nuisance.deviation):
            rows = slice(first + 6 * e, first + 6 * e + 6)
            matrix[rows, rows] += precision
            vector[rows] -= precision @ deviation
    return matrix, vector, 6 * n_panels


def scaled(information: Floats) -> Floats:
    """What makes information about mm and rad, much and little of it, comparable."""
    return np.asarray(1.0 / np.sqrt(np.diag(information)))


CASES = [
    (False, False, False),
    (False, True, False),
    (True, False, False),
    (False, False, True),
    (True, True, True),
]
FREE = ("pose_per_experiment", "free_beam", "free_strain")


@pytest.mark.parametrize(FREE, CASES)
def test_elimination_is_the_schur_complement_of_the_dense_equations(
    pose_per_experiment: bool, free_beam: bool, free_strain: bool
) -> None:
    fit = general_fit(
        pose_per_experiment=pose_per_experiment, free_beam=free_beam, free_strain=free_strain
    )
    correction = near_truth()
    blocks, _ = fit.blocks(correction)
    reduced = fit.eliminate(blocks, correction)
    matrix, vector, p = dense(fit, correction)
    scale = scaled(matrix)
    inner = np.linalg.solve(
        (matrix * np.outer(scale, scale))[p:, p:],
        np.column_stack([(matrix * np.outer(scale, scale))[p:, :p], (scale * vector)[p:]]),
    )
    coupling = (matrix * np.outer(scale, scale))[:p, p:]
    schur = (matrix * np.outer(scale, scale))[:p, :p] - coupling @ inner[:, :-1]
    right = (scale * vector)[:p] - coupling @ inner[:, -1]
    mine = scale[:p]
    assert np.abs(reduced.information * np.outer(mine, mine) - schur).max() < RELATIVE
    assert np.abs(reduced.vector * mine - right).max() < RELATIVE * np.abs(right).max()
    assert reduced.null_directions == ()


@pytest.mark.parametrize(FREE, CASES)
def test_the_nuisance_follows_the_panels_as_the_dense_equations_say(
    pose_per_experiment: bool, free_beam: bool, free_strain: bool
) -> None:
    fit = general_fit(
        pose_per_experiment=pose_per_experiment, free_beam=free_beam, free_strain=free_strain
    )
    correction = near_truth()
    blocks, _ = fit.blocks(correction)
    matrix, vector, p = dense(fit, correction)
    panel_step = np.random.default_rng(5).normal(size=p) * np.tile([1e-2] * 3 + [1e-4] * 3, p // 6)
    scale = scaled(matrix)[p:]
    expected = scale * np.linalg.solve(
        matrix[p:, p:] * np.outer(scale, scale),
        scale * (vector[p:] - matrix[p:, :p] @ panel_step),
    )
    step = fit.eliminate(blocks, correction).nuisance_step(panel_step)
    found = [step.pose, *([np.array([step.beam_rad])] if free_beam else [])]
    for which, (own,) in enumerate(step.crystal):
        held, turned = fit.instrument, fit.nuisance.turned[which]
        both = np.concatenate([held.strains[which], held.forbidden[which]], axis=1)
        strains = turned_strains(both, turned)
        parts, *_ = np.linalg.lstsq(strains, own[3:], rcond=None)
        found += [own[:3], parts]
        assert strains @ parts == pytest.approx(own[3:], abs=1e-12)
    if pose_per_experiment:
        found += list(step.deviation)
    difference = (np.concatenate(found) - expected) / scale
    assert np.abs(difference).max() < RELATIVE * np.abs(expected / scale).max()


def assert_same(one: Blocks, other: Blocks) -> None:
    """Equal to the last bit."""
    for fold, sums in one.by_fold.items():
        assert sums.keys() == other.by_fold[fold].keys()
        for experiment, own in sums.items():
            for name in ExperimentSums.__slots__:
                another = getattr(other.by_fold[fold][experiment], name)
                assert np.array_equal(getattr(own, name), another)


def test_folds_add_up_to_the_whole() -> None:
    fit, correction = general_fit(), near_truth()
    blocks, _ = blocks_of(fit, correction)
    parts = [fit.eliminate(blocks.of_folds((k,)), correction) for k in range(FOLDS)]
    whole = sum(part.panel_information for part in parts)
    found = fit.eliminate(blocks, correction).panel_information
    assert np.abs(whole - found).max() < RELATIVE * np.abs(found).max()
    assert all(blocks.by_fold[k] for k in range(FOLDS))
    total = sum(blocks.of_folds((k,)).chi_square for k in range(FOLDS))
    assert total == pytest.approx(blocks.chi_square)


def test_a_reflection_without_weight_is_as_good_as_absent() -> None:
    fit, correction = general_fit(), near_truth()
    keep = np.random.default_rng(0).random(len(fit.seen)) > 0.2
    spoilt = fit.seen.observed.copy()
    spoilt[:2, ~keep] += 3.0
    without, _ = blocks_of(replace(fit, keep=keep), correction)
    with_spoilt, _ = blocks_of(
        replace(fit, keep=keep, seen=replace(fit.seen, observed=spoilt)), correction
    )
    assert_same(without, with_spoilt)


def test_a_reflection_that_never_diffracts_carries_no_weight() -> None:
    fit, correction = general_fit(), near_truth()
    hkl = fit.seen.hkl.copy()
    hkl[:, 7] *= 100.0
    keep = fit.keep.copy()
    keep[7] = False
    lost, residuals = blocks_of(replace(fit, seen=replace(fit.seen, hkl=hkl)), correction)
    absent, _ = blocks_of(replace(fit, keep=keep), correction)
    assert np.isnan(residuals[:, 7]).all()
    assert_same(lost, absent)


def test_the_chi_square_is_that_of_the_residuals() -> None:
    fit, correction = general_fit(), near_truth()
    blocks, residuals = fit.blocks(correction)
    assert blocks.chi_square == pytest.approx(float((fit.weights * residuals**2).sum()))
    assert np.array_equal(residuals, fit.residuals(correction))


def test_the_squared_residuals_in_px_are_those_of_the_reflections_that_are_kept() -> None:
    fit, correction = general_fit(), near_truth()
    keep = np.random.default_rng(1).random(len(fit.seen)) < 0.7
    fit = replace(fit, keep=keep)
    _, (_, squared) = linearise(DatasetState(fit, fit), correction, learn=False)
    px = fit.residuals(correction)[:2] / fit.pixel_mm
    assert squared.count == int(keep.sum())
    assert squared.total == pytest.approx(float((px[:, keep] ** 2).sum()))


# The whole solution.


@cache
def small_solution() -> tuple[Layout, Refinement, PanelSystem]:
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=900)
    system = PanelSystem(layout, Freedom.FULL, PanelPrior(held=True))
    found = refined([scan.dataset], system, options(), quiet)
    return layout, found, system


def prior_root(layout: Layout, correction: Correction, system: PanelSystem) -> Floats:
    """(6 n, 6 n) a square root of the prior with rigid motions free, at a correction."""
    frames = correction.frames(layout)
    centre = frames.points(0.5 * layout.size_mm[:, None, :])[:, 0]
    gauge = gauge_directions(
        frames.rotation, centre, tangents_from_parameters(correction), Freedom.FULL
    )
    held = system.tolerance[:, None] ** -2.0 * gauge
    prior = np.diag(system.tolerance**-2.0) - held @ np.linalg.solve(gauge.T @ held, held.T)
    sigma = system.tolerance
    values, vectors = np.linalg.eigh(prior * np.outer(sigma, sigma))
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T / sigma)


def test_the_solution_is_that_of_a_general_least_squares_program() -> None:
    layout, solved, system = small_solution()
    (fit,) = fits(solved)
    root = prior_root(layout, solved.correction, system)
    keep, scale = fit.keep, np.array([1.0] * 3 + [1e-3] * 3)
    sigma = fit.seen.sigma[:, keep] * fit.scale[:, None]
    start = states(solved)[0].rigid
    strains = turned_strains(start.instrument.strains[0], start.nuisance.turned[0])

    def at(x: Floats) -> tuple[DatasetFit, Correction]:
        panels = Correction(x[:18].reshape(3, 6) * scale)
        crystal = np.concatenate([x[24:27] * 1e-3, strains @ x[27:] * 1e-3])
        step = Step(x[18:24] * scale, np.zeros((1, 6)), (crystal[None],), 0.0)
        return start.moved(step), panels

    # Along the gauge every point is as good; the general program is held where the solver's is.
    gauge = one_more_step(solved, system).gauge
    pin = gauge / np.linalg.norm(gauge / np.tile(scale, 3)[:, None], axis=0)
    pin = 1e4 * pin / np.tile(scale, 3)[:, None] ** 2

    def cost(x: Floats) -> Floats:
        moved, panels = at(x)
        data = moved.residuals(panels)[:, keep] / sigma
        away = (panels.values - solved.correction.values).ravel()
        return np.concatenate([data.ravel(), root @ panels.values.ravel(), pin.T @ away])

    n_parameters = 18 + 6 + 3 + strains.shape[1]
    found = least_squares(cost, np.zeros(n_parameters), jac="3-point", x_scale="jac", gtol=1e-12)
    _, panels = at(found.x)
    mine = np.concatenate(
        [
            (fit.residuals(solved.correction)[:, keep] / sigma).ravel(),
            root @ solved.correction.values.ravel(),
        ]
    )
    assert mine @ mine == pytest.approx(2.0 * found.cost, abs=1e-3)
    sigma_of = np.sqrt(np.diag(one_more_step(solved, system).covariance)).reshape(3, 6)
    assert (np.abs(panels.values - solved.correction.values) / sigma_of).max() < 0.02


def one_more_step(solved: Refinement, system: PanelSystem) -> PanelStep:
    return system.step(solved.correction, reduced_of(solved))


def reduced_of(solved: Refinement) -> list[PanelEquations]:
    at = solved.correction
    return [fit.eliminate(fit.blocks(at)[0], at) for fit in fits(solved)]


def test_the_covariance_is_the_constrained_inverse_of_the_dense_equations() -> None:
    """Of all x with G^T W x = 0: G the gauge, W what each panel's own reflections and tolerance
    say of each parameter."""
    layout, solved, system = small_solution()
    (fit,), step = fits(solved), one_more_step(*small_solution()[1:])
    matrix, _, p = dense(fit, solved.correction)
    to_tangent = tangents_from_parameters(solved.correction)
    spread = np.zeros((p, p))
    for k, square in enumerate(to_tangent):
        spread[6 * k : 6 * k + 6, 6 * k : 6 * k + 6] = square
    root = prior_root(layout, solved.correction, system)
    full = matrix.copy()
    full[:p, :p] = spread.T @ matrix[:p, :p] @ spread + root.T @ root
    full[:p, p:] = spread.T @ matrix[:p, p:]
    full[p:, :p] = full[:p, p:].T
    own = fit.eliminate(fit.blocks(solved.correction)[0], solved.correction).panel_information
    weight = np.concatenate([np.diag(t.T @ own[k] @ t) for k, t in enumerate(to_tangent)])
    rows = step.gauge.T * (weight + system.tolerance**-2.0)
    scale = scaled(full)
    rows = rows * scale[:p] / np.linalg.norm(rows * scale[:p], axis=1, keepdims=True)
    k = len(rows)
    bordered = np.zeros((len(full) + k, len(full) + k))
    bordered[: len(full), : len(full)] = full * np.outer(scale, scale)
    bordered[len(full) :, :p] = rows
    bordered[:p, len(full) :] = rows.T
    covariance = np.linalg.inv(bordered)[:p, :p] * np.outer(scale[:p], scale[:p])
    sigma = np.sqrt(np.diag(covariance))
    assert np.abs((step.covariance - covariance) / np.outer(sigma, sigma)).max() < 1e-5


def test_the_information_weighted_mean_motion_of_the_panels_is_zero() -> None:
    _, solved, system = small_solution()
    step = one_more_step(solved, system)
    to_tangent = tangents_from_parameters(solved.correction)
    own = reduced_of(solved)[0].panel_information
    full = to_tangent.transpose(0, 2, 1) @ own @ to_tangent
    weight = np.diagonal(full, axis1=1, axis2=2).ravel() + system.tolerance**-2.0
    pull = weight * step.correction.values.ravel()
    for motion in step.gauge.T:
        assert abs(motion @ pull) < 1e-6 * (np.abs(motion) @ np.abs(pull))


def test_the_solution_stands_still() -> None:
    _, solved, system = small_solution()
    step = one_more_step(solved, system)
    moved = np.abs(step.correction.values - solved.correction.values)
    sigma = np.sqrt(np.diag(step.covariance)).reshape(-1, 6)
    assert (moved / sigma).max() < 0.02
    assert solved.converged


@pytest.mark.parametrize("n_kept", [1, 2, 3, 4])
def test_what_so_few_reflections_leave_undetermined_is_named_and_stands_still(n_kept: int) -> None:
    """Each gives three numbers; a tetragonal crystal and a pose have eleven."""
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=900)
    fit = started(scan.dataset, layout, options())
    keep = np.zeros(len(fit.seen), dtype=np.bool_)
    keep[:: len(keep) // n_kept] = True
    keep[np.flatnonzero(keep)[n_kept:]] = False
    fit = replace(fit, keep=keep)
    none = Correction.none(3)
    reduced = fit.eliminate(fit.blocks(none)[0], none)
    determined = min(3 * n_kept, 11)
    assert reduced.n_determined == determined
    assert len(reduced.null_directions) == min(6, 11 - determined)
    # What pose and crystal can follow exactly says nothing of the panels.
    alone = np.abs(np.diag(np.concatenate(reduced.panel_information.transpose(1, 0, 2))))
    if determined < 11:
        assert np.abs(reduced.information).max() < 1e-9 * max(alone.max(), 1.0)
    moved = fit.moved(reduced.nuisance_step(np.zeros(18)))
    shift_mm = moved.nuisance.translation_mm - fit.nuisance.translation_mm
    assert np.linalg.norm(shift_mm) < 20.0
    if determined == 3 * n_kept:
        assert np.abs(moved.residuals(none)[:, keep] / fit.seen.sigma[:, keep]).max() < 20.0
