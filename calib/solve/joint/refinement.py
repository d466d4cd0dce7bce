"""The joint refinement of many datasets that share one set of panel corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from calib.errors import SolveError
from calib.model.detector.correction import Correction
from calib.model.result.report import Misfit
from calib.solve.dataset.outliers import FEWEST, PanelLimits
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.joint.dataset_state import (
    SquaredPx,
    apply_step,
    count_on_panels,
    finish,
    fit_rigid,
    free_scan_varying,
    linearise,
    nuisance_shift,
    restore_all,
    take_subset,
    update_weights,
)
from calib.solve.joint.indexing_residual import check_predictable, find_misindexed_datasets
from calib.solve.joint.misindexed import (
    confirm_misindexed,
    covers_dataset,
    experiment_residuals,
    find_misindexed_experiments,
    remove_experiments,
)
from calib.solve.options import SolveOptions
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.parallel.executor import Executor

_MOST_ITERATIONS = 25
_DECIDING_ITERATIONS = 8
"""Iterations in which outliers are classified again; later the classification is fixed."""
_MOVING_ITERATIONS = 2
"""Iterations in which nominal panels are taken to be displaced."""
_MAX_EXCLUSIONS = 6
"""Rounds of excluding misindexed experiments."""
_SETTLED_SHARE = 5e-4
"""Fraction of reclassified reflections below which the classification is fixed."""
_CONVERGED_SIGMA = 0.02
"""Largest shift of a converged refinement, in sigma."""
_NEAR_SIGMA = 0.3
"""Largest shift at which refinement with a subset of the reflections ends, in its own sigma."""
_ENOUGH_TO_APPROACH, _ENOUGH_OF_EACH = 60_000, 4_000
"""Reflections of all datasets, and of each of many datasets, with which the refinement begins."""

Progress = Callable[[str, int, float, int], None]
"""Called with the stage, the iteration, the RMSD in px and the number of datasets done."""


@dataclass(frozen=True, slots=True, eq=False)
class Refinement:
    """Result of a joint refinement."""

    executor: Executor
    """Holds the datasets, each a ``DatasetState`` at the solution."""
    correction: Correction
    last: PanelStep
    """The last computed step, which was not applied; it holds the covariance."""
    longest_shift: float
    """Largest shift of that step in sigma, of panels, poses and crystals."""
    system: PanelSystem
    """With the widths of the prior learned from the datasets at the solution."""
    converged: bool
    iterations: int
    kept: tuple[int, ...] = ()
    """Indices of the datasets that were used, among those that were given."""
    misfits: tuple[Misfit, ...] = ()
    """Excluded datasets and experiments."""


def refine_jointly(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> Refinement:
    """Joint refinement of panels, poses and crystals of all datasets.

    First each dataset is refined with nominal panels and a Huber loss, then all datasets together.
    Outliers are classified again in each iteration until the classification settles. Large datasets
    begin with a subset of their reflections; classification and refinement are then repeated with
    all. Scan-varying crystals start from the converged static solution, since free splines and a
    free pose diverge from farther away. The items of ``executor`` are states from ``initialise``.
    """
    participants = _start(executor, system, progress, options)
    start, moving = Correction.none(len(system.layout)), _MOVING_ITERATIONS
    if any(executor.map(take_subset, max(_ENOUGH_OF_EACH, _ENOUGH_TO_APPROACH // len(executor)))):
        near = _converged(
            executor, start, system, progress, _Stage("approach", moving, _NEAR_SIGMA)
        )
        start, moving, system = near.correction, 0, near.system
        executor.map(restore_all, start)
    nearing = _Stage("panels", _MOVING_ITERATIONS, most=_MOVING_ITERATIONS)
    if moving:
        start = _converged(executor, start, system, progress, nearing).correction
    for _ in range(_MAX_EXCLUSIONS):
        remaining = _exclude_misindexed(executor, start, participants, system, options)
        if remaining is participants:
            break
        # Misindexed crystals had biased the panels and so concealed others.
        participants = remaining
        start = _converged(executor, start, system, progress, nearing).correction
    found = _converged(executor, start, system, progress, _Stage("panels", moving, done=moving))
    if any(executor.map(free_scan_varying, found.correction, options)):
        stage = _Stage("crystals", 0)
        found = _converged(executor, found.correction, found.system, progress, stage)
    executor.map(finish)
    return replace(found, kept=participants.kept, misfits=participants.excluded)


def _start(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> _Participants:
    """Refine each dataset with nominal panels and exclude misindexed datasets."""
    rmsd = _RunningRmsd()
    rigid_fits = []
    for one in executor.imap(fit_rigid):
        rigid_fits.append(one)
        rmsd.add(one.squared)
        progress("rigid", 1, rmsd.last_px, rmsd.n_datasets)
    stored_px = [one.use.rmsd.before.scatter_px for one in system.stored]
    found = {} if options.keep_all else find_misindexed_datasets(rigid_fits, stored_px)
    kept = tuple(place for place in range(len(rigid_fits)) if place not in found)
    check_predictable([rigid_fits[place] for place in kept])
    return _Participants(tuple(range(len(rigid_fits)))).without(executor, found, ())


def _exclude_misindexed(
    executor: Executor,
    correction: Correction,
    participants: _Participants,
    system: PanelSystem,
    options: SolveOptions,
) -> _Participants:
    """Exclude misindexed experiments with panels at ``correction``, and datasets that consist of
    them."""
    if options.keep_all:
        return participants
    all_residuals = executor.map(experiment_residuals, correction)
    stored_px = [one.use.rmsd.after.scatter_px for one in system.stored]
    suspects = find_misindexed_experiments(all_residuals, stored_px)
    if not any(suspects):
        return participants
    each = [(own,) for own in suspects]
    found = executor.map(confirm_misindexed, correction, options, each=each)
    if not any(found):
        return participants
    whole: dict[int, Misfit] = {}
    parts: list[Misfit] = []
    removed: list[tuple[tuple[int, ...]]] = []
    for place, (scatter, own) in enumerate(zip(all_residuals, found, strict=True)):
        excluded = [suspect.as_misfit(scatter, identifier) for suspect, identifier in own]
        if covers_dataset(scatter, own):
            whole[place] = replace(excluded[0], experiment=None, identifier="")
            excluded = []
        parts += excluded
        removed.append((tuple(one.experiment for one in excluded if one.experiment is not None),))
    executor.map(remove_experiments, each=removed)
    return participants.without(executor, whole, parts)


@dataclass(frozen=True, slots=True)
class _Participants:
    """The datasets that are used."""

    kept: tuple[int, ...]
    """Their indices among those that were given."""
    excluded: tuple[Misfit, ...] = ()

    def without(
        self, executor: Executor, whole: Mapping[int, Misfit], parts: Sequence[Misfit]
    ) -> _Participants:
        """Without datasets ``whole``, by index in the executor, and without ``parts`` of others."""
        rest = [place for place in range(len(self.kept)) if place not in whole]
        if not rest:
            raise SolveError(
                "misfits",
                "no new dataset fits the stored ones: "
                + ", ".join(
                    f"{one.name} (median residual {one.scatter_px or np.inf:.1f} px, the others "
                    f"{one.usual_px or np.inf:.2f} px)"
                    for one in whole.values()
                )
                + ".",
                remedy="index them again, or keep them with --keep-all.",
            )
        if whole:
            executor.select(rest)
        excluded = (*self.excluded, *whole.values(), *parts)
        return _Participants(tuple(self.kept[place] for place in rest), excluded)


@dataclass(frozen=True, slots=True)
class _Stage:
    """A run of iterations; counting continues after ``done``."""

    name: str
    moving: int
    """Iterations in which panels are taken to be displaced."""
    until_sigma: float = _CONVERGED_SIGMA
    done: int = 0
    most: int = _MOST_ITERATIONS


def _converged(
    executor: Executor,
    correction: Correction,
    system: PanelSystem,
    progress: Progress,
    stage: _Stage,
) -> Refinement:
    """Iterate all datasets jointly from their current state until convergence."""
    decided = False
    limits = _panel_limits(executor, system)
    for iteration in range(stage.done + 1, stage.most + 1):
        if not decided:
            counts = executor.map(update_weights, correction, iteration > stage.moving, limits)
            changed, total = np.sum(counts, axis=0).tolist()
            decided = iteration > stage.moving + 1 and (
                changed <= _SETTLED_SHARE * total or iteration > _DECIDING_ITERATIONS
            )
        found = _linearise_all(executor, correction, progress, stage.name, iteration, not decided)
        total = sum_equations(found)
        if iteration > stage.moving:
            system = system.learned(correction, [total])
        step = system.step_of(correction, [total])
        longest = max(step.shift_sigma, *executor.map(nuisance_shift))
        converged = decided and longest < stage.until_sigma
        if converged or iteration == _MOST_ITERATIONS:
            break  # validation needs the equations at the current point
        correction = step.correction
        executor.map(apply_step, step.tangent)
    return Refinement(
        executor=executor,
        correction=correction,
        last=step,
        longest_shift=longest,
        system=system,
        converged=converged,
        iterations=iteration,
    )


def _panel_limits(executor: Executor, system: PanelSystem) -> PanelLimits:
    """The tolerance of each panel, and whether all datasets have too few reflections on it."""
    counts = np.sum(executor.map(count_on_panels), axis=0)
    for one in system.stored:
        counts = counts + np.sum(one.used_on_panel, axis=0)
    tolerance = system.tolerance.reshape(len(counts), -1)[:, :2].max(axis=1)
    return PanelLimits(tolerance, counts < FEWEST)


def sum_equations(equations: Iterator[PanelEquations]) -> PanelEquations:
    """Sum of panel equations, each of which is released once it is added."""
    return reduce(PanelEquations.plus, equations)


def _linearise_all(
    executor: Executor,
    correction: Correction,
    progress: Progress,
    stage: str,
    iteration: int,
    learn: bool,
) -> Iterator[PanelEquations]:
    """Panel equations of each dataset at ``correction``, with a progress report for each."""
    rmsd = _RunningRmsd()
    for equations, squared in executor.imap(linearise, correction, learn):
        rmsd.add(squared)
        progress(stage, iteration, rmsd.px, rmsd.n_datasets)
        yield equations


class _RunningRmsd:
    """RMSD in px over the kept reflections of the datasets so far."""

    def __init__(self) -> None:
        self.n_datasets = 0
        self.last_px = float("nan")
        self._total, self._count = 0.0, 0

    def add(self, found: SquaredPx) -> None:
        self.n_datasets += 1
        self._total += found.total
        self._count += found.count
        self.last_px = float(np.sqrt(found.total / max(found.count, 1)))

    @property
    def px(self) -> float:
        return float(np.sqrt(self._total / max(self._count, 1)))
