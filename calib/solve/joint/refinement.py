"""The joint refinement of many datasets that share one set of panel corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from calib.errors import SolveError
from calib.model.detector.correction import Correction
from calib.model.result.report import Misfit
from calib.solve.dataset.panel_equations import Share
from calib.solve.joint.dataset_state import (
    SquaredPx,
    linearised,
    moved_with,
    rejudged,
    restored,
    rigidly_placed,
    settled,
    shift_with,
    thinned,
    varied,
)
from calib.solve.joint.indexing_residual import misfits, refuse_lost
from calib.solve.joint.misindexed import confirmed, is_all, scattered, strays, without
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
class Refined:
    """The end of a joint refinement."""

    executor: Executor
    """The datasets, each a ``Standing`` at the solution."""
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


def refined_jointly(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> Refined:
    """Panels, poses and crystals of all datasets refined together.

    First each dataset with rigid panels, against outliers by a Huber loss; then all together,
    the rejection decided anew at each step until it settles, at first with a part of the
    reflections of large datasets: what they decide and where they lead is decided anew with all.
    Crystals that change along their
    scans start from the converged static solution: from farther away free splines and a free pose
    diverge. The datasets of ``executor`` have just been ``started``.
    """
    crew = _fitting(executor, system, progress, options)
    start, moving = Correction.none(len(system.layout)), _MOVING_ITERATIONS
    if any(executor.map(thinned, max(_ENOUGH_OF_EACH, _ENOUGH_TO_APPROACH // len(executor)))):
        near = _converged(
            executor, start, system, progress, _Stage("approach", moving, _NEAR_SIGMA)
        )
        start, moving = near.correction, 0
        executor.map(restored, start)
    nearing = _Stage("panels", _MOVING_ITERATIONS, most=_MOVING_ITERATIONS)
    if moving:
        start = _converged(executor, start, system, progress, nearing).correction
    for _ in range(_MOST_SIFTINGS):
        sifted = _sifted(executor, start, crew, system, options)
        if sifted is crew:
            break
        # Wrong crystals had pulled the panels, and what hid behind them shows now.
        crew = sifted
        start = _converged(executor, start, system, progress, nearing).correction
    found = _converged(executor, start, system, progress, _Stage("panels", moving, done=moving))
    if any(executor.map(varied, found.correction, options)):
        found = _converged(executor, found.correction, system, progress, _Stage("crystals", 0))
    executor.map(settled)
    return replace(found, kept=crew.kept, misfits=crew.left_out)


def _fitting(
    executor: Executor, system: PanelSystem, progress: Progress, options: SolveOptions
) -> _Crew:
    """Every dataset placed by itself, and those that do not belong left out."""
    rmsd = _RunningRmsd()
    placed = []
    for one in executor.stream(rigidly_placed):
        placed.append(one)
        rmsd.add(one.squared)
        progress("rigid", 1, rmsd.last_px, rmsd.n_datasets)
    known_px = [one.use.rmsd.before.scatter_px for one in system.known]
    found = {} if options.keep_all else misfits(placed, known_px)
    kept = tuple(place for place in range(len(placed)) if place not in found)
    refuse_lost([placed[place] for place in kept])
    return _Crew(tuple(range(len(placed)))).less(executor, found, ())


def _sifted(
    executor: Executor,
    correction: Correction,
    crew: _Crew,
    system: PanelSystem,
    options: SolveOptions,
) -> _Crew:
    """Experiments left out that do not fit the others with panels at ``correction``, and datasets
    none of whose experiments do."""
    if options.keep_all:
        return crew
    scatters = executor.map(scattered, correction)
    known_px = [one.use.rmsd.after.scatter_px for one in system.known]
    suspects = strays(scatters, known_px)
    if not any(suspects):
        return crew
    each = [(own,) for own in suspects]
    found = executor.map(confirmed, correction, options, each=each)
    if not any(found):
        return crew
    whole: dict[int, Misfit] = {}
    parts: list[Misfit] = []
    strayed: list[tuple[tuple[int, ...]]] = []
    for place, (scatter, own) in enumerate(zip(scatters, found, strict=True)):
        told = [stray.misfit(scatter, identifier) for stray, identifier in own]
        if is_all(scatter, own):
            whole[place] = replace(told[0], experiment=None, identifier="")
            told = []
        parts += told
        strayed.append((tuple(one.experiment for one in told if one.experiment is not None),))
    executor.map(without, each=strayed)
    return crew.less(executor, whole, parts)


@dataclass(frozen=True, slots=True)
class _Crew:
    """Which datasets take part."""

    kept: tuple[int, ...]
    """Their places among those that were given."""
    left_out: tuple[Misfit, ...] = ()

    def less(
        self, executor: Executor, whole: Mapping[int, Misfit], parts: Sequence[Misfit]
    ) -> _Crew:
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
            executor.arrange(rest)
        left_out = (*self.left_out, *whole.values(), *parts)
        return _Crew(tuple(self.kept[place] for place in rest), left_out)


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
) -> Refined:
    """All datasets iterated from where they are; the rigid fits are left to the caller."""
    decided = False
    for iteration in range(stage.done + 1, stage.most + 1):
        if not decided:
            counts = executor.map(rejudged, correction, iteration > stage.moving)
            changed, total = np.sum(counts, axis=0).tolist()
            decided = iteration > stage.moving + 1 and (
                changed <= _SETTLED_SHARE * total or iteration > _DECIDING_ITERATIONS
            )
        said = together(_told(executor, correction, progress, stage.name, iteration))
        step = system.step_of(correction, [said])
        longest = max(step.shift_sigma, *executor.map(shift_with, step.tangent))
        if (decided and longest < stage.until_sigma) or iteration == _MOST_ITERATIONS:
            break  # what follows needs the equations where the datasets stand
        correction = step.correction
        executor.map(moved_with, step.tangent)
    return Refined(
        executor=executor,
        correction=correction,
        last=step,
        longest_shift=longest,
        converged=decided and longest < stage.until_sigma,
        iterations=iteration,
    )


def together(shares: Iterator[Share]) -> Share:
    """The sum of what datasets say, none kept longer than it takes to add it."""
    return reduce(Share.plus, shares)


def _told(
    executor: Executor, correction: Correction, progress: Progress, stage: str, iteration: int
) -> Iterator[Share]:
    """What each dataset says at ``correction``, progress told with each."""
    rmsd = _RunningRmsd()
    for share, squared in executor.stream(linearised, correction):
        rmsd.add(squared)
        progress(stage, iteration, rmsd.px, rmsd.n_datasets)
        yield share


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
