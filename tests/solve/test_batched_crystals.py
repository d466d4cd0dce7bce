"""Batched crystals: the same answers as the blocks of a few give."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import random_correction
from calib.solve.dataset.batched import BatchedCrystals, BatchedSchurComplement
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks, accumulate
from calib.solve.dataset.parameters import Step
from calib.solve.dataset.schur import SchurComplement, eliminate
from calib.solve.dataset.symmetry import allowed_strains
from support.errors import deviations, errors_of
from support.scenes import crystal, options, solution, started

RELATIVE = 1e-8
THREE_SD = 3.0
CELL = (57.8, 57.8, 150.2, 90.0, 90.0, 90.0)
LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(1), LAYOUT)


@cache
def batched() -> DatasetFit:
    """Twenty-five crystals, a third of them without symmetry, one with a single reflection, none
    where it should be."""
    pose = facing_pose(LAYOUT, 150.0, beam_centre_mm=(3.0, 4.0), tilt_rad=(0.01, 0.02, 0.03))
    plan = StillsPlan(n_crystals=25, n_reflections=60)
    made = simulated_stills(np.random.default_rng(3), LAYOUT, TRUTH, pose, plan, "crowd")
    crystals = tuple(
        replace(given, hall_symbol=" P 1") if index % 3 == 0 else given
        for index, given in enumerate(made.dataset.experiments.crystals)
    )
    models = replace(made.dataset.experiments, crystals=crystals)
    table = made.dataset.reflections
    first = np.searchsorted(table.experiment, 7)
    alone = (table.experiment != 7) | (np.arange(len(table)) == first)
    dataset = replace(made.dataset, experiments=models, reflections=table.where(alone))
    fit = started(dataset, LAYOUT, options())
    assert fit.is_batched
    keep = np.random.default_rng(5).random(len(fit.seen)) > 0.1
    # Not at the start, where no crystal has turned.
    fit, _ = replace(fit, keep=keep).refined_at(
        Correction.none(len(LAYOUT)), robust=True, iterations=1
    )
    return fit


def both(folds: tuple[int, ...] = (0, 1, 2, 3)) -> tuple[BatchedSchurComplement, SchurComplement]:
    """The same equations, summed in batches and in blocks."""
    fit = batched()
    stage = fit.predictor(TRUTH)
    equations, _ = fit.blocks(TRUTH)
    assert isinstance(equations, BatchedCrystals)
    one = fit.eliminate(equations.of_folds(folds), TRUTH)
    assert isinstance(one, BatchedSchurComplement)
    blocks, _ = accumulate(stage, fit.seen, fit.weights, equations.about_mm)
    other = eliminate(
        blocks.of_folds(folds),
        stage,
        beam_prior=None,
        pose_prior=None,
        penalty=fit.penalty,
    )
    return one, other


def assert_alike(one: Floats, other: Floats, scale: Floats | float = 1.0) -> None:
    assert np.abs((one - other) / scale).max() < RELATIVE * np.abs(other / scale).max()


@pytest.mark.parametrize("folds", [(0, 1, 2, 3), (0, 2), (2, 3)])
def test_batches_and_blocks_give_the_same_panel_equations(folds: tuple[int, ...]) -> None:
    one, other = both(folds)
    size = np.sqrt(np.diag(other.panel_information.sum(axis=0)))
    scale = np.tile(size, len(LAYOUT))
    assert_alike(one.information, other.information, np.outer(scale, scale))
    assert_alike(one.vector, other.vector, scale)
    assert_alike(one.panel_information, other.panel_information, np.outer(size, size))
    assert one.null_directions == other.null_directions != ()
    assert one.n_determined == other.n_determined


def flat(step: Step) -> Floats:
    return np.concatenate([step.pose, *(own.ravel() for own in step.crystal)])


@pytest.mark.parametrize("n_moving", [0, 1, len(LAYOUT)])
def test_crystals_and_pose_follow_the_panels_as_the_blocks_say(n_moving: int) -> None:
    one, other = both()
    step = np.random.default_rng(4).normal(size=6 * len(LAYOUT)) * np.tile(
        [0.01] * 3 + [1e-4] * 3, len(LAYOUT)
    )
    step[6 * n_moving :] = 0.0
    assert_alike(flat(one.nuisance_step(step)), flat(other.nuisance_step(step)))
    assert one.largest_shift() == pytest.approx(other.largest_shift(), rel=1e-6)


def test_panels_that_stand_still_can_be_left_out() -> None:
    fit, still = batched(), np.zeros(6 * len(LAYOUT))
    equations, _ = fit.blocks(TRUTH)
    whole, part = (fit.eliminate(equations, TRUTH, panels=panels) for panels in (True, False))
    assert_alike(flat(part.nuisance_step(still)), flat(whole.nuisance_step(still)))


def test_threads_do_not_change_a_bit_of_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib.solve.dataset.batched._BATCH", 150)
    monkeypatch.setattr("calib.solve.dataset.batched._OF_PIECE", 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    step = np.random.default_rng(4).normal(size=6 * len(LAYOUT)) * 1e-4
    found = []
    for limit in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        equations, _ = batched().blocks(TRUTH)
        assert isinstance(equations, BatchedCrystals)
        sums = equations.summed(panels=True)
        found.append((sums.total, sums.back, sums.tail, equations.pulled(step)))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


@contextmanager
def limited_to(seconds: int) -> Iterator[None]:
    """A failure if the body takes longer, since a loop without end would fill the memory."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_crystal_with_more_reflections_than_a_batch_has_a_batch_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    equations, _ = batched().blocks(TRUTH)
    assert isinstance(equations, BatchedCrystals)
    whole = equations.summed(panels=True)
    n = np.bincount(equations.seen.experiment)
    monkeypatch.setattr("calib.solve.dataset.batched._BATCH", int(n[n > 1].min()) - 1)
    again = replace(equations, kept={})
    with limited_to(20):
        pieces = again._pieces()
    runs = [run for piece in pieces for run in piece]
    bounds = np.cumsum([0, *n]).tolist()
    assert [(run.start, run.stop) for run in runs] == list(pairwise(bounds))
    parts = again.summed(panels=True)
    size = np.sqrt(np.abs(np.diag(whole.total)))
    size[size == 0.0] = 1.0  # the beam, which these stills do not determine
    assert_alike(parts.total, whole.total, np.outer(size, size))
    assert np.array_equal(parts.crystals, whole.crystals)


def test_a_fit_without_reflections_is_not_batched() -> None:
    fit = batched()
    nothing = fit.where(np.zeros(len(fit.seen), dtype=np.bool_))
    assert len(nothing.seen) == 0
    assert not nothing.is_batched


@pytest.mark.parametrize("panels", [False, True])
def test_folds_without_a_reflection_say_nothing(panels: bool) -> None:
    fit = batched()
    one_half = replace(fit.seen, fold=fit.seen.fold % 2)
    equations, _ = replace(fit, seen=one_half).blocks(TRUTH)
    assert isinstance(equations, BatchedCrystals)
    sums = equations.of_folds((2, 3)).summed(panels=panels)
    assert not sums.total.any()
    assert len(sums.crystals) == len(sums.back) == len(sums.tail) == 0


def test_batches_give_the_chi_square_and_residuals_of_blocks() -> None:
    fit = batched()
    equations, residuals = fit.blocks(TRUTH)
    blocks, expected = accumulate(fit.predictor(TRUTH), fit.seen, fit.weights, np.zeros(3))
    assert equations.chi_square == pytest.approx(blocks.chi_square)
    assert np.array_equal(residuals, expected)


def test_a_subset_for_batches_holds_whole_crystals() -> None:
    fit = batched()
    part = fit.thinned(len(fit.seen) // 3)
    assert part.is_batched
    counts = np.bincount(part.seen.experiment, minlength=25)
    whole = np.bincount(fit.seen.experiment, minlength=25)
    assert set(counts[counts > 0]) <= set(whole)
    assert (counts[counts > 0] == whole[counts > 0]).all()
    assert 7 <= (counts > 0).sum() <= 9
    start = part.seen.group_start
    key = np.stack([part.seen.experiment, part.seen.panel, part.seen.fold])
    assert (np.diff(key[:, start[:-1]], axis=1) != 0).any(axis=0).all()
    assert start[-1] == len(part.seen)


def test_few_crystals_of_many_reflections_are_not_batched() -> None:
    fit = batched()
    one = fit.seen.experiment == 0
    assert isinstance(fit.blocks(TRUTH)[0], BatchedCrystals)
    many = replace(fit, seen=replace(fit.seen, group_start=np.array([0, len(one)])))
    assert isinstance(many.blocks(TRUTH)[0], Blocks)


def test_strains_of_many_crystals_are_those_of_each() -> None:
    rng = np.random.default_rng(6)
    settings = np.array([crystal(rng, CELL, " P 4nw 2abw").a_matrix for _ in range(3)])
    found = allowed_strains(settings, " P 4nw 2abw")
    assert found.shape == (3, 6, 2)
    for strains, setting in zip(found, settings, strict=True):
        alone = allowed_strains(setting, " P 4nw 2abw")
        assert np.abs(alone @ alone.T - strains @ strains.T).max() < RELATIVE


def test_errors_of_batched_crystals_scatter_as_their_sigmas_say() -> None:
    pose = facing_pose(LAYOUT, 150.0)
    plan = StillsPlan(n_crystals=150, n_reflections=60, outlier_share=0.02)
    made = simulated_stills(np.random.default_rng(8), LAYOUT, TRUTH, pose, plan, "crowd")
    found = solution([made.dataset], LAYOUT)
    assert found.report.convergence.converged
    assert found.report.datasets[0].n_crystals == 150
    errors = errors_of(LAYOUT, found.estimate, TRUTH)
    assert abs(deviations(errors.chi_square, errors.degrees)) < THREE_SD


def test_the_largest_shift_may_be_that_of_a_crystal_or_of_the_pose() -> None:
    one, other = both()
    at_rest = np.zeros_like(other.pose_reach)
    crystals = replace(other, pose_reach=at_rest).largest_shift()
    pose = replace(other, crystals=()).largest_shift()
    assert min(crystals, pose) > 1.0
    assert other.largest_shift() == max(crystals, pose)
    without = replace(one, pose=replace(one.pose, reach=np.zeros_like(one.pose.reach)))
    assert without.largest_shift() == pytest.approx(crystals, rel=1e-6)
    tail = np.zeros_like(one.crystals.tail)
    without = replace(one, crystals=replace(one.crystals, tail=tail))
    assert without.largest_shift() == pytest.approx(pose, rel=1e-6)
