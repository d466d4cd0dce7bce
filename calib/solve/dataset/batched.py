"""Elimination in batches, for very many crystals with few reflections each.

Blocks of 17 x 17 for each (experiment, panel, fold) would take more memory than the reflections
that they sum. Instead, a few thousand reflections are predicted at a time, and their crystals are
eliminated together (``batched_sums``). Of each crystal only the transformation back to its own
parameters is kept. Its step needs U^T P dx for a step dx of the panels, where U and P are the
derivatives with respect to crystal and panel parameters; a second pass over the reflections
computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.solve.algebra.priors import BeamPrior
from calib.solve.algebra.rigid_motion import adjoints
from calib.solve.dataset.batched_sums import Accumulator, Batch, EliminatedCrystals
from calib.solve.dataset.normal_equations import POSE_COLUMNS
from calib.solve.dataset.observations import EARLY, FOLDS, LATE, Observations
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS, RESIDUAL_COLUMN, Predictor
from calib.solve.dataset.schur import PoseElimination
from calib.solve.dataset.symmetry import turned_strains
from calib.solve.parallel.threads import in_order

_BATCH = 8192
"""Reflections in a batch."""
_OF_PIECE = 16
"""Batches that one thread sums at a time."""
_FEW_IN_GROUP = 8
"""Mean number of reflections per (experiment, panel, fold) below which batches are used."""
_CRYSTAL = slice(PANEL_COLUMNS, BEAM_COLUMN)


@dataclass(frozen=True, slots=True, eq=False)
class BatchedCrystals:
    """Reflections at one linearisation point, whose derivatives are recomputed when needed."""

    predictor: Predictor
    seen: Observations
    weights: Floats
    """(3, n) inverse variances; 0 for excluded reflections."""
    about_mm: Floats
    """(3,) centre of rotation of the pose."""
    folds: tuple[int, ...] = EARLY + LATE
    kept: dict[tuple[int, ...], EliminatedCrystals] = field(default_factory=dict)
    """Sums computed so far, by folds."""

    def of_folds(self, folds: tuple[int, ...]) -> BatchedCrystals:
        """The reflections of some folds only."""
        return replace(self, folds=folds)

    @property
    def chi_square(self) -> float:
        """The weighted sum of squared residuals."""
        return self.summed(panels=True).chi_square

    def summed(self, *, panels: bool) -> EliminatedCrystals:
        """Sums with all crystals eliminated.

        Without ``panels``, ``total`` covers only pose, beam and residual.
        """
        if panels and self.folds in self.kept:
            return self.kept[self.folds]
        moves = self._moves()
        widest = max((strains.shape[1] for strains in self.predictor.instrument.strains), default=0)

        def of(piece: list[slice]) -> Accumulator:
            accumulator = Accumulator.of(moves, 3 + widest, panels=panels)
            for batch in self._batches(piece):
                accumulator.add(batch, self._weighted(batch), self._basis(batch.crystals, widest))
            return accumulator

        totals = reduce(Accumulator.plus, in_order(of, self._pieces())).finished()
        if panels:
            self.kept[self.folds] = totals
        return totals

    def pulled(self, panel_step: Floats) -> Floats:
        """U^T P dx (c, 9) of each crystal for a step dx of the panels (6 n,)."""
        steps = np.ascontiguousarray(panel_step.reshape(-1, PANEL_COLUMNS).T)

        def of(piece: list[slice]) -> list[Floats]:
            found = []
            for batch in self._batches(piece):
                jacobian = self._weighted(batch)
                own = np.take(steps, batch.panel, axis=1)
                moved = (jacobian[:2, :PANEL_COLUMNS] * own).sum(axis=1)
                pull = (jacobian[:2, _CRYSTAL] * moved[:, None]).sum(axis=0)
                found.append(np.add.reduceat(pull, batch.start, axis=1).T)
            return found

        nothing = np.zeros((0, CRYSTAL_COLUMNS))
        found = [one for piece in in_order(of, self._pieces()) for one in piece]
        return np.concatenate([nothing, *found])

    def _weighted(self, batch: Batch) -> Floats:
        """Derivatives (3, 17, n), multiplied by the square roots of the weights."""
        jacobian = self.predictor.predict(self.seen, batch.part, derivatives=True).jacobian
        assert jacobian is not None  # noqa: S101 - requested above
        lost = ~np.isfinite(jacobian[:, RESIDUAL_COLUMN]).all(axis=0)
        if lost.any():
            jacobian[:, :, lost] = 0.0
        jacobian *= np.sqrt(self.weights[:, batch.part])[:, None]
        return jacobian

    def _moves(self) -> Floats:
        """Adjoints (n, 6, 6) of the panels in the shared pose."""
        return adjoints(
            self.predictor.panel_rotation[:, :, 0].transpose(2, 0, 1),
            self.predictor.panel_centre_mm[:, 0].T,
            self.about_mm,
        )

    def _basis(self, crystals: Ints, widest: int) -> Floats:
        """Rotations and allowed strains (k, 9, 3 + s); columns that a crystal lacks are 0."""
        held = self.predictor.instrument
        strains = np.zeros((len(crystals), 6, widest))
        for row, crystal in enumerate(crystals.tolist()):
            allowed = held.strains[crystal]
            strains[row, :, : allowed.shape[1]] = allowed
        out = np.zeros((len(crystals), CRYSTAL_COLUMNS, 3 + widest))
        out[:, :3, :3] = np.eye(3)
        out[:, 3:, 3:] = turned_strains(strains, self.predictor.nuisance.turned[crystals])
        return out

    def _pieces(self) -> list[list[slice]]:
        """Runs of whole crystals, in pieces of several runs; a thread sums one piece at a time."""
        experiment = self.seen.experiment
        bound = np.append(np.flatnonzero(np.diff(experiment, prepend=-1)), len(experiment))
        parts, first = [], 0
        while first < len(bound) - 1:
            last = int(np.searchsorted(bound, bound[first] + _BATCH, side="right")) - 1
            last = max(last, first + 1)
            parts.append(slice(int(bound[first]), int(bound[last])))
            first = last
        return [parts[k : k + _OF_PIECE] for k in range(0, len(parts), _OF_PIECE)]

    def _batches(self, piece: list[slice]) -> Iterator[Batch]:
        """The reflections of the folds in each run of a piece; runs without any are skipped."""
        wanted = np.isin(np.arange(FOLDS), self.folds)
        for run in piece:
            chosen = wanted[self.seen.fold[run]]
            if chosen.any():
                part = run if chosen.all() else run.start + np.flatnonzero(chosen)
                yield Batch.of(part, self.seen, self.predictor.instrument.crystal)


def is_batched(seen: Observations, crystal: Ints, coefficients: tuple[int, ...]) -> bool:
    """Whether to eliminate crystals in batches.

    They are if groups of (experiment, panel, fold) have few reflections, and all crystals are
    static and measured in a single experiment. ``crystal`` (e,) is the crystal of each experiment.
    """
    if seen.basis is not None or len(seen) >= _FEW_IN_GROUP * _n_groups(seen):
        return False
    used: Bools = np.bincount(seen.experiment, minlength=len(crystal)) > 0
    alone = np.bincount(crystal[used]).max(initial=0) == 1
    return bool(alone) and max(coefficients) == 1


def _n_groups(seen: Observations) -> int:
    """Number of groups (experiment, panel, fold), where halves of scans count as one fold."""
    head = seen.group_start[:-1] if len(seen) else np.zeros(0, dtype=np.int64)
    keys = np.stack([seen.experiment[head], seen.panel[head], seen.fold[head] % LATE[0]])
    late = seen.fold[head] >= LATE[0]
    # Late groups follow those of the same experiment and panel that are not.
    early = set(map(tuple, keys[:, ~late].T.tolist())) if late.any() else set()
    return int((~late).sum()) + sum(tuple(key) not in early for key in keys[:, late].T.tolist())


@dataclass(frozen=True, slots=True, eq=False)
class BatchedSchurComplement(PanelEquations):
    """Normal equations over the panels' tangent motions, with crystals and pose eliminated.

    The coupling of crystals to panels is not kept: a step needs a second pass over ``batched``.
    """

    null_directions: tuple[str, ...]
    """Descriptions of undetermined directions of pose and beam."""
    n_determined: int
    """Number of nuisance parameters that the data determine."""
    batched: BatchedCrystals
    crystals: EliminatedCrystals
    pose: PoseElimination
    _last: dict[bytes, tuple[Floats, Floats]] = field(default_factory=dict)
    """The last step that was requested: of pose and beam (7,), and of crystals (c, r) in sigma."""

    @staticmethod
    def of(
        batched: BatchedCrystals, *, beam_prior: BeamPrior | None, panels: bool
    ) -> BatchedSchurComplement:
        """Eliminate crystals and pose; without ``panels``, which costs less, only steps with fixed
        panels can be computed."""
        totals = batched.summed(panels=panels)
        pose = PoseElimination.of(
            totals.total,
            totals.alone,
            beam_prior=beam_prior,
            beam_rad=batched.predictor.nuisance.beam_rad,
        )
        n_known = int((totals.back != 0.0).any(axis=1).sum())
        return BatchedSchurComplement(
            information=pose.information,
            vector=pose.vector,
            panel_information=totals.panel_information,
            null_directions=pose.null_directions,
            n_determined=pose.back.shape[1] + n_known,
            batched=batched,
            crystals=totals,
            pose=pose,
        )

    def panel_equations(self) -> PanelEquations:
        """The panel equations alone."""
        return PanelEquations(self.information, self.vector, self.panel_information)

    def largest_shift(self) -> float:
        """Largest shift of the nuisance parameters in sigma, as of ``SchurComplement``."""
        rigid, crystals = self.pose.reach[:, -1], self.crystals.tail[:, :, -1]
        return float(max(np.abs(rigid).max(initial=0.0), np.abs(crystals).max(initial=0.0)))

    def nuisance_step(self, panel_step: Floats) -> Step:
        """The step of pose, crystals and beam that belongs to a step of the panels (6 n,)."""
        rigid, crystals = self._step(panel_step)
        held = self.batched.predictor.instrument
        own = np.zeros((len(held.strains), 1, CRYSTAL_COLUMNS))
        own[self.crystals.crystals, 0] = np.einsum("cij,cj->ci", self.crystals.back, crystals)
        deviation = np.zeros((1, POSE_COLUMNS))
        return Step(rigid[:POSE_COLUMNS], deviation, tuple(own), float(rigid[POSE_COLUMNS]))

    def _rigid(self, panel_step: Floats) -> Floats:
        """Step (r,) of pose and beam along the determined directions, in sigma."""
        reach = self.pose.reach
        if not panel_step.any():
            return np.asarray(reach[:, -1])
        return np.asarray(reach[:, -1] - reach[:, :-1] @ panel_step)

    def _step(self, panel_step: Floats) -> tuple[Floats, Floats]:
        key = panel_step.tobytes()
        if key not in self._last:
            rigid = self.pose.back @ self._rigid(panel_step)
            tail = self.crystals.tail
            crystals = tail[:, :, -1] - tail[:, :, :-1] @ rigid
            if panel_step.any():
                pulled = self.batched.pulled(panel_step)
                crystals -= np.einsum("cij,ci->cj", self.crystals.back, pulled)
            self._last.clear()
            self._last[key] = (rigid, crystals)
        return self._last[key]
