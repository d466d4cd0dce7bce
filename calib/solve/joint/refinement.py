"""The joint refinement of many datasets that share one set of panel corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from calib.errors import SolveError
from calib.model.detector.correction import Correction
from calib.model.result.report import Misfit
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.joint.dataset_state import (
    SquaredPx,
    apply_step,
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
"""So long the rejection is decided anew; after that it stands."""
_MOVING_ITERATIONS = 2
"""So long panels that start as drawn are taken to be out of place."""
_MOST_SIFTINGS = 6
_SETTLED_SHARE = 5e-4
_CONVERGED_SIGMA = 0.02
_NEAR_SIGMA = 0.3
"""Where a part of the reflections has led near enough, in its own sigma."""
_ENOUGH_TO_APPROACH, _ENOUGH_OF_EACH = 60_000, 4_000
"""Reflections of all datasets, and of one that is among many, from which panels are brought near
their places."""

Progress = Callable[[str, int, float, int], None]
"""Called with the stage, the iteration, the RMSD in px so far, and how many datasets are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Refinement:
    """The end of a joint refinement."""

    executor: Executor
    """The datasets, each a ``DatasetState`` at the solution."""
    correction: Correction
    last: PanelStep
    """The step that was too short to matter, or the one after the most iterations; it holds the
    covariance."""
    longest_shift: float
    """Of that step in sigma: panels and nuisance."""
    converged: bool
    iterations: int
    kept: tuple[int, ...] = ()
    """The places, among those that were given, of the datasets that take part."""
    misfits: tuple[Misfit, ...] = ()
    """The others, and single experiments that do not."""


def refine_jointly(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> Refinement:
    """Panels, poses and crystals of all datasets refined together.

    First each dataset with rigid panels, against outliers by a Huber loss; then all together,
    the rejection decided anew at each step until it settles, at first with a part of the
    reflections of large datasets: what they decide and where they lead is decided anew with all.
    Crystals that change along their
    scans start from the converged static solution: from farther away free splines and a free pose
    diverge. The datasets of ``executor`` have just been ``initialise``.
    """
    participants = _start(executor, system, progress, options)
    start, moving = Correction.none(len(system.layout)), _MOVING_ITERATIONS
    if any(executor.map(take_subset, max(_ENOUGH_OF_EACH, _ENOUGH_TO_APPROACH // len(executor)))):
        near = _converged(
            executor, start, system, progress, _Stage("approach", moving, _NEAR_SIGMA)
        )
        start, moving = near.correction, 0
        executor.map(restore_all, start)
    nearing = _Stage("panels", _MOVING_ITERATIONS, most=_MOVING_ITERATIONS)
    if moving:
        start = _converged(executor, start, system, progress, nearing).correction
    for _ in range(_MOST_SIFTINGS):
        remaining = _exclude_misindexed(executor, start, participants, system, options)
        if remaining is participants:
            break
        # Wrong crystals had pulled the panels, and what hid behind them shows now.
        participants = remaining
        start = _converged(executor, start, system, progress, nearing).correction
    found = _converged(executor, start, system, progress, _Stage("panels", moving, done=moving))
    if any(executor.map(free_scan_varying, found.correction, options)):
        found = _converged(executor, found.correction, system, progress, _Stage("crystals", 0))
    executor.map(finish)
    return replace(found, kept=participants.kept, misfits=participants.excluded)


def _start(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> _Participants:
    """Every dataset placed by itself, and those that do not belong left out."""
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
    """Experiments left out that do not fit the others with panels at ``correction``, and datasets
    none of whose experiments do."""
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
    """Which datasets take part."""

    kept: tuple[int, ...]
    """Their places among those that were given."""
    excluded: tuple[Misfit, ...] = ()

    def without(
        self, executor: Executor, whole: Mapping[int, Misfit], parts: Sequence[Misfit]
    ) -> _Participants:
        """Without some datasets of the fleet, by their places in it, and ``parts`` of others."""
        rest = [place for place in range(len(self.kept)) if place not in whole]
        if not rest:
            raise SolveError(
                "misfits",
                "no dataset fits those that are stored: "
                + ", ".join(
                    f"{one.name} ({one.scatter_px or np.inf:.1f} px, usual are "
                    f"{one.usual_px or np.inf:.2f})"
                    for one in whole.values()
                )
                + ".",
                remedy="index again; or --keep-all, if you know better.",
            )
        if whole:
            executor.select(rest)
        excluded = (*self.excluded, *whole.values(), *parts)
        return _Participants(tuple(self.kept[place] for place in rest), excluded)


@dataclass(frozen=True, slots=True)
class _Stage:
    """One run of iterations, from the one behind ``done`` on."""

    name: str
    moving: int
    """So many iterations panels are taken to be out of place."""
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
    """All datasets iterated from where they are; the rigid fits are left to the caller."""
    decided = False
    for iteration in range(stage.done + 1, stage.most + 1):
        if not decided:
            counts = executor.map(update_weights, correction, iteration > stage.moving)
            changed, total = np.sum(counts, axis=0).tolist()
            decided = iteration > stage.moving + 1 and (
                changed <= _SETTLED_SHARE * total or iteration > _DECIDING_ITERATIONS
            )
        total = sum_equations(_linearise_all(executor, correction, progress, stage.name, iteration))
        step = system.step_of(correction, [total])
        longest = max(step.shift_sigma, *executor.map(nuisance_shift, step.tangent))
        if (decided and longest < stage.until_sigma) or iteration == _MOST_ITERATIONS:
            break  # what follows needs the equations where the datasets stand
        correction = step.correction
        executor.map(apply_step, step.tangent)
    return Refinement(
        executor=executor,
        correction=correction,
        last=step,
        longest_shift=longest,
        converged=decided and longest < stage.until_sigma,
        iterations=iteration,
    )


def sum_equations(equations: Iterator[PanelEquations]) -> PanelEquations:
    """The sum of what datasets say, none kept longer than it takes to add it."""
    return reduce(PanelEquations.plus, equations)


def _linearise_all(
    executor: Executor, correction: Correction, progress: Progress, stage: str, iteration: int
) -> Iterator[PanelEquations]:
    """What each dataset says at ``correction``, progress told with each."""
    rmsd = _RunningRmsd()
    for equations, squared in executor.imap(linearise, correction):
        rmsd.add(squared)
        progress(stage, iteration, rmsd.px, rmsd.n_datasets)
        yield equations


class _RunningRmsd:
    """Root mean square distance in px over the kept reflections of the datasets so far."""

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
