"""Panel equations of datasets under other choices of their nuisance parameters.

Blocks of all columns are accumulated already. A parameter is held by a prior of almost no width
about its value in the files, and freed by a prior of the usual width; then crystals and pose are
eliminated again. Weights, rejected reflections and the learned widths of all other priors stay as
they are. Only other weights need a further pass over the reflections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.correction import Correction
from calib.model.result.summary import Part
from calib.model.result.what_if import Choice
from calib.solve.algebra.bspline import Penalty
from calib.solve.algebra.priors import BeamPrior, complement
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.observations import EARLY, LATE
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.joint.dataset_state import DatasetState
from calib.solve.joint.dataset_validation import PART_FOLDS
from calib.solve.panels.what_if.alternatives import Alternatives
from calib.solve.parallel.executor import Executor

_HELD = Penalty(
    turn_rad=3e-8,
    strain=3e-8,
    forbidden=3e-8,
    net_turn=1e-5,
    net_strain=1e-5,
    shift_mm=1e-5,
    bend_mm=1e-5,
)
"""Widths a hundredth of what data can show, or less; still narrower ones lose digits."""
_HELD_BEAM = BeamPrior(1e-8)
_MOST_PARTS = 4
"""Of more datasets, neighbours are predicted together."""
_ALTERNATE = (PART_FOLDS[Part.HALF_A], PART_FOLDS[Part.HALF_B])
"""Folds of the alternate blocks of a single dataset."""
_WEAKER_PHI = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class DatasetAlternatives:
    """Equations of one dataset, of all its reflections and of some folds."""

    derived: tuple[PanelEquations, ...]
    changed: dict[Choice, tuple[PanelEquations, ...]]
    """Choices that change nothing in this dataset are missing."""
    single: dict[Choice, PanelEquations]
    """Equations of choices that are made in each dataset by itself."""
    chi_square: float
    """Of the folds, or of all reflections where there are none."""


def alternatives_of(
    state: DatasetState,
    correction: Correction,
    folds: Sequence[tuple[int, ...]],
    further_passes: bool,
) -> tuple[DatasetState, DatasetAlternatives]:
    """The equations of a dataset at the solution under each other choice: of all reflections, then
    of each of ``folds``."""
    fit, blocks = state.fit, state.blocks
    assert blocks is not None  # noqa: S101 - linearised at the solution
    every = (PART_FOLDS[Part.WHOLE], *folds)
    parts = [blocks.of_folds(own) for own in every]

    def equations(changed: DatasetFit) -> tuple[PanelEquations, ...]:
        return tuple(changed.eliminate(one, correction).panel_equations() for one in parts)

    found = {choice: equations(changed) for choice, changed in _other_models(fit).items()}
    single: dict[Choice, PanelEquations] = {}
    if further_passes:
        for choice, changed in _other_weights(fit).items():
            anew, _ = changed.blocks(correction)
            found[choice] = tuple(
                changed.eliminate(anew.of_folds(own), correction).panel_equations() for own in every
            )
        if (fit.seen.fold[fit.keep] >= LATE[0]).any():
            for choice, own in ((Choice.WITHOUT_FIRST, LATE), (Choice.WITHOUT_LAST, EARLY)):
                one = fit.eliminate(blocks.of_folds(own), correction)
                single[choice] = one.panel_equations()
    tested = parts[1:] or parts
    return state, DatasetAlternatives(
        equations(fit), found, single, sum(one.chi_square for one in tested)
    )


def _other_models(fit: DatasetFit) -> dict[Choice, DatasetFit]:
    """The fit with other nuisance parameters held or free."""
    held, found = fit.instrument, {}
    has_scans = not held.still[fit.seen.experiment].all()
    if not fit.is_batched:
        if any(own.shape[1] for own in held.forbidden):
            penalty = replace(fit.penalty, forbidden=_HELD.forbidden)
            found[Choice.SYMMETRY_IMPOSED] = replace(fit, penalty=penalty)
        elif any(own.shape[1] < len(own) for own in held.strains):
            free = replace(held, forbidden=tuple(complement(own) for own in held.strains))
            found[Choice.SYMMETRY_FREED] = replace(fit, instrument=free)
    if fit.beam_prior is not None:
        found[Choice.BEAM_HELD] = replace(fit, beam_prior=_HELD_BEAM)
    elif has_scans:
        found[Choice.BEAM_FREED] = replace(fit, beam_prior=BeamPrior())
    if held.shifting.any():
        penalty = replace(fit.penalty, shift_mm=_HELD.shift_mm, bend_mm=_HELD.bend_mm)
        found[Choice.SHIFT_HELD] = replace(fit, penalty=penalty)
    if held.order > 1:
        penalty = replace(_HELD, forbidden=fit.penalty.forbidden)
        found[Choice.CRYSTALS_STATIC] = replace(fit, penalty=penalty)
    return found


def _other_weights(fit: DatasetFit) -> dict[Choice, DatasetFit]:
    """The fit with other reflections or weights, which need a further pass."""
    scale = fit.scale * np.array([1.0, 1.0, _WEAKER_PHI])
    found = {Choice.PHI: replace(fit, scale=scale)}
    flagged = fit.seen.flagged
    if flagged is not None and (flagged & fit.keep).any():
        found[Choice.FLAGS] = replace(fit, keep=fit.keep & ~flagged)
    return found


def summed_alternatives(
    executor: Executor, correction: Correction, *, further_passes: bool
) -> Alternatives:
    """The equations of all datasets under each other choice."""
    n = len(executor)
    folds = _ALTERNATE if n == 1 else ()
    n_parts = len(folds) or min(n, _MOST_PARTS)
    found: dict[Choice, _Sums] = {}
    derived = _Sums(n_parts)
    singles: dict[tuple[Choice, int], PanelEquations] = {}
    chi_square = 0.0
    given = executor.imap(alternatives_of, correction, folds, further_passes)
    for place, one in enumerate(given):
        part = None if folds else place * n_parts // n
        for choice in one.changed.keys() - found.keys():
            found[choice] = derived.copied()
        for choice, sums in found.items():
            sums.add(one.changed.get(choice, one.derived), part)
        derived.add(one.derived, part)
        chi_square += one.chi_square
        singles |= {
            (choice, place): own.minus(one.derived[0]) for choice, own in one.single.items()
        }
    assert derived.whole is not None  # noqa: S101 - there is a dataset
    return Alternatives(
        parts=derived.found,
        chi_square=chi_square,
        rows={choice: (sums.total, sums.found) for choice, sums in found.items()},
        datasets={key: derived.total.plus(own) for key, own in singles.items()},
    )


class _Sums:
    """Sums over datasets of the equations of all reflections, and of each part."""

    def __init__(self, n_parts: int) -> None:
        self.whole: PanelEquations | None = None
        self._parts: list[PanelEquations | None] = [None] * n_parts

    def copied(self) -> _Sums:
        """The same sums, to which other datasets are added."""
        other = _Sums(len(self._parts))
        other.whole, other._parts = self.whole, list(self._parts)
        return other

    def add(self, equations: Sequence[PanelEquations], part: int | None) -> None:
        """Add a dataset that belongs to a part; with None, ``equations`` are of all reflections and
        of each part."""
        self.whole = _plus(self.whole, equations[0])
        if part is None:
            for place, own in enumerate(equations[1:]):
                self._parts[place] = _plus(self._parts[place], own)
        else:
            self._parts[part] = _plus(self._parts[part], equations[0])

    @property
    def total(self) -> PanelEquations:
        """The sum over all datasets."""
        assert self.whole is not None  # noqa: S101 - there is a dataset
        return self.whole

    @property
    def found(self) -> tuple[PanelEquations, ...]:
        """The sums over each part."""
        return tuple(own for own in self._parts if own is not None)


def _plus(total: PanelEquations | None, more: PanelEquations) -> PanelEquations:
    return more if total is None else total.plus(more)
