"""The joint refinement of many datasets that share one set of panel corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np

from calib.model.correction import Correction
from calib.solve.eliminate import Share
from calib.solve.fleet import Fleet
from calib.solve.options import SolveOptions
from calib.solve.panels import PanelStep, PanelSystem
from calib.solve.standing import (
    SquaredPx,
    linearised,
    moved_with,
    rejudged,
    rigidly_placed,
    settled,
    shift_with,
    varied,
)

_MOST_ITERATIONS = 25
_DECIDING_ITERATIONS = 8
"""So long the rejection is decided anew; after that it stands."""
_MOVING_ITERATIONS = 2
"""So long panels that start as drawn are taken to be out of place."""
_SETTLED_SHARE = 5e-4
_CONVERGED_SIGMA = 0.02

Progress = Callable[[str, int, float, int], None]
"""Called with the stage, the iteration, the RMSD in px so far, and how many datasets are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The end of a joint refinement."""

    fleet: Fleet
    """The datasets, each a ``Standing`` at the solution."""
    correction: Correction
    last: PanelStep
    """The step that was too short to matter; it holds the covariance."""
    longest_shift: float
    """Of that step, in sigma: panels and nuisance."""
    converged: bool
    iterations: int


def refined_jointly(
    fleet: Fleet, system: PanelSystem, progress: Progress, options: SolveOptions
) -> Refined:
    """Panels, poses and crystals of all datasets refined together.

    First each dataset with rigid panels, against outliers by a Huber loss; then all together,
    the rejection decided anew at each step until it settles. Crystals that change along their
    scans start from the converged static solution: from farther away free splines and a free pose
    diverge. The datasets of ``fleet`` have just been ``started``.
    """
    rmsd = _RunningRmsd()
    for found in fleet.stream(rigidly_placed):
        rmsd.add(found)
        progress("rigid", 1, rmsd.last_px, rmsd.n_datasets)
    none = Correction.none(len(system.layout))
    found = _converged(fleet, none, system, progress, "panels")
    if any(fleet.map(varied, found.correction, options)):
        found = _converged(fleet, found.correction, system, progress, "crystals")
    fleet.map(settled)
    return found


def _converged(
    fleet: Fleet, correction: Correction, system: PanelSystem, progress: Progress, stage: str
) -> Refined:
    """All datasets iterated from where they are; the rigid fits are left to the caller."""
    decided = False
    drawn = stage == "panels"
    for iteration in range(1, _MOST_ITERATIONS + 1):
        if not decided:
            in_place = not drawn or iteration > _MOVING_ITERATIONS
            counts = fleet.map(rejudged, correction, in_place)
            changed, total = np.sum(counts, axis=0).tolist()
            decided = iteration > _MOVING_ITERATIONS + 1 and (
                changed <= _SETTLED_SHARE * total or iteration > _DECIDING_ITERATIONS
            )
        said = together(_told(fleet, correction, progress, stage, iteration))
        step = system.step(correction, [said])
        longest = max(step.shift_sigma, *fleet.map(shift_with, step.tangent))
        if decided and longest < _CONVERGED_SIGMA:
            break
        correction = step.correction
        fleet.map(moved_with, step.tangent)
    return Refined(
        fleet=fleet,
        correction=correction,
        last=step,
        longest_shift=longest,
        converged=decided and longest < _CONVERGED_SIGMA,
        iterations=iteration,
    )


def together(shares: Iterator[Share]) -> Share:
    """The sum of what datasets say, none kept longer than it takes to add it."""
    return reduce(Share.plus, shares)


def _told(
    fleet: Fleet, correction: Correction, progress: Progress, stage: str, iteration: int
) -> Iterator[Share]:
    """What each dataset says at ``correction``, progress told with each."""
    rmsd = _RunningRmsd()
    for share, squared in fleet.stream(linearised, correction):
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
