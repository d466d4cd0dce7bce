"""Crowds: very many crystals of few reflections each, eliminated as they come by.

Blocks of 17 x 17 for each (experiment, panel, fold) would be larger than the reflections that they
sum. Here some thousand reflections at a time are predicted, the crystals that they belong to are
eliminated all at once, and nothing is kept of a crystal but the way back to its own parameters.
With U the derivatives by a crystal's parameters and P, T those by the panels, and by pose, beam
and residual, each crystal has W with W^T (U^T U) W = 1 and takes

    (W^T U^T [P T])^T (W^T U^T [P T])

from the sums of all. The step of a crystal needs U^T P dx for the step dx of the panels, which is
found by a second pass over the reflections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from calib.model.arrays import Bools, Floats, Ints
from calib.solve.observations import Observations
from calib.solve.rigid import adjoints
from calib.solve.stage import BEAM_COLUMN, PANEL_COLUMNS, RESIDUAL_COLUMN, Stage
from calib.solve.state import CRYSTAL_COLUMNS
from calib.solve.symmetry import turned_strains
from calib.solve.units import POSE_COLUMNS, all_whitened

_BATCH = 8192
"""Reflections at a time."""
_FEW_IN_GROUP = 8
"""Groups of (experiment, panel, fold) that are on average smaller make a crowd."""
TAIL_COLUMNS = POSE_COLUMNS + 2
"""Pose, beam and residual."""
_CRYSTAL = slice(PANEL_COLUMNS, BEAM_COLUMN)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What all crystals of a crowd leave behind, once eliminated."""

    total: Floats
    """(6 n + 8, 6 n + 8) over panels, pose, beam and residual."""
    alone: Floats
    """(7,) the diagonal over pose and beam before crystals were eliminated."""
    panel_information: Floats
    """(n, 6, 6)"""
    crystals: Ints
    """(c,) which crystals have reflections."""
    back: Floats
    """(c, 9, r) from whitened directions to a crystal's nine columns."""
    tail: Floats
    """(c, r, 8) whitened coupling to pose, beam and residual."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Reflections of a crowd at one point, linearised wherever they are needed."""

    stage: Stage
    seen: Observations
    weights: Floats
    """(3, n) inverse variances; 0 for reflections that are left out."""
    about_mm: Floats
    """(3,) the point that the pose turns about."""
    chi_square: float
    """The weighted sum of squared residuals, of all folds."""
    folds: tuple[int, ...] = (0, 1, 2, 3)

    def of_folds(self, folds: tuple[int, ...]) -> Crowd:
        """The reflections of some folds only."""
        return replace(self, folds=folds)

    def summed(self, *, panels: bool) -> Sums:
        """All crystals eliminated; without ``panels`` these are left out of ``total``, which then
        tells of pose, beam and residual alone."""
        n = self.stage.panel_half_mm.shape[1] if panels else 0
        size = PANEL_COLUMNS * n + TAIL_COLUMNS
        total, moves = np.zeros((size, size)), self._moves()
        own = np.zeros((n, PANEL_COLUMNS, PANEL_COLUMNS + TAIL_COLUMNS))
        whole = np.zeros((TAIL_COLUMNS, TAIL_COLUMNS))
        crystals, backs, tails = [], [], []
        for batch in self._batches():
            jacobian = self._weighted(batch.part)
            tail = _tail(jacobian, moves[self.seen.panel[batch.part]])
            mine = batch.padded(jacobian[:, _CRYSTAL])
            rest = batch.padded(tail)
            whole += np.tensordot(tail, tail, axes=((0, 2), (0, 2)))
            transposed = mine.transpose(0, 2, 1)
            basis = self._basis(batch.crystals)
            square = basis.transpose(0, 2, 1) @ (transposed @ mine) @ basis
            back = basis @ all_whitened(square)
            reach = back.transpose(0, 2, 1) @ (transposed @ rest)
            crystals.append(batch.crystals)
            backs.append(back)
            tails.append(reach)
            if panels:
                coupling = batch.coupling(jacobian, tail, self.seen.panel[batch.part], own)
                far = back.transpose(0, 2, 1) @ coupling
                reach = np.concatenate([far, reach], axis=2)
            flat = reach.reshape(-1, size)
            total -= flat.T @ flat
        alone = np.diag(whole)[:-1].copy()
        total[-TAIL_COLUMNS:, -TAIL_COLUMNS:] += whole
        for p in range(n):
            rows = slice(PANEL_COLUMNS * p, PANEL_COLUMNS * (p + 1))
            total[rows, rows] += own[p, :, :PANEL_COLUMNS]
            total[rows, -TAIL_COLUMNS:] += own[p, :, PANEL_COLUMNS:]
            total[-TAIL_COLUMNS:, rows] += own[p, :, PANEL_COLUMNS:].T
        return Sums(
            total,
            alone,
            own[:, :, :PANEL_COLUMNS],
            np.concatenate(crystals),
            np.concatenate(backs),
            np.concatenate(tails),
        )

    def pulled(self, panel_step: Floats) -> Floats:
        """(c, 9) U^T P dx of each crystal for a step dx of the panels (6 n,)."""
        steps, found = panel_step.reshape(-1, PANEL_COLUMNS), []
        for batch in self._batches():
            jacobian = self._weighted(batch.part)
            own = steps[self.seen.panel[batch.part]].T
            moved = (jacobian[:2, :PANEL_COLUMNS] * own).sum(axis=1)
            pull = (jacobian[:2, _CRYSTAL] * moved[:, None]).sum(axis=0)
            found.append(np.add.reduceat(pull, batch.start, axis=1).T)
        return np.concatenate(found)

    def _weighted(self, part: slice) -> Floats:
        """(3, 17, n) the derivatives, times the roots of the weights."""
        jacobian = self.stage.predict(self.seen, part, derivatives=True).jacobian
        assert jacobian is not None  # noqa: S101 - asked for above
        lost = ~np.isfinite(jacobian[:, RESIDUAL_COLUMN]).all(axis=0)
        if lost.any():
            jacobian[:, :, lost] = 0.0
        weights = self.weights[:, part] * np.isin(self.seen.fold[part], self.folds)
        jacobian *= np.sqrt(weights)[:, None]
        return jacobian

    def _moves(self) -> Floats:
        """(n, 6, 6) the adjoints of the panels in the one pose."""
        return adjoints(
            self.stage.panel_rotation[:, :, 0].transpose(2, 0, 1),
            self.stage.panel_centre_mm[:, 0].T,
            self.about_mm,
        )

    def _basis(self, crystals: Ints) -> Floats:
        """(k, 9, 3 + s) rotations and allowed strains; columns that a crystal has not are 0."""
        held = self.stage.instrument
        widest = max(strains.shape[1] for strains in held.strains)
        strains = np.zeros((len(crystals), 6, widest))
        for row, crystal in enumerate(crystals.tolist()):
            allowed = held.strains[crystal]
            strains[row, :, : allowed.shape[1]] = allowed
        out = np.zeros((len(crystals), CRYSTAL_COLUMNS, 3 + widest))
        out[:, :3, :3] = np.eye(3)
        out[:, 3:, 3:] = turned_strains(strains, self.stage.state.turned[crystals])
        return out

    def _batches(self) -> Iterator[_Batch]:
        experiment = self.seen.experiment
        start = np.flatnonzero(np.diff(experiment, prepend=-1))
        bound = np.append(start, len(experiment))
        held, first = self.stage.instrument, 0
        while first < len(start):
            last = int(np.searchsorted(bound, bound[first] + _BATCH, side="right")) - 1
            last = min(max(last, first + 1), len(start))
            part = slice(int(bound[first]), int(bound[last]))
            crystals = held.crystal[experiment[start[first:last]]]
            yield _Batch(part, crystals, start[first:last] - part.start)
            first = last


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Some whole crystals' reflections, crystal after crystal."""

    part: slice
    crystals: Ints
    """(k,)"""
    start: Ints
    """(k,) where in the part each begins."""

    def padded(self, rows: Floats) -> Floats:
        """(k, 3 m, columns) of the (3, columns, n) derivatives, m the most reflections of any."""
        n = self.part.stop - self.part.start
        count = np.diff(self.start, append=n)
        crystal = np.repeat(np.arange(len(count)), count)
        place = np.arange(n) - np.repeat(self.start, count)
        out = np.zeros((len(count), int(count.max()), *rows.shape[:2]))
        out[crystal, place] = rows.transpose(2, 0, 1)
        return out.reshape(len(count), -1, rows.shape[1])

    def coupling(self, jacobian: Floats, tail: Floats, panel: Ints, own: Floats) -> Floats:
        """(k, 9, 6 n) of the crystals to the panels; the panels' own sums are added to ``own``
        (n, 6, 14): to themselves, and to pose, beam and residual."""
        columns = np.concatenate(
            [jacobian[:2, _CRYSTAL], jacobian[:2, :PANEL_COLUMNS], tail[:2]], axis=1
        )
        by_panel = jacobian[:2, :PANEL_COLUMNS]
        products = np.empty((PANEL_COLUMNS, *columns.shape[1:]))
        for row in range(PANEL_COLUMNS):
            np.multiply(columns[0], by_panel[0, row], out=products[row])
            products[row] += columns[1] * by_panel[1, row]
        new = np.diff(panel, prepend=-1) != 0
        new[self.start] = True
        run = np.flatnonzero(new)
        sums = np.add.reduceat(products.reshape(-1, len(panel)), run, axis=1)
        sums = sums.reshape(PANEL_COLUMNS, -1, len(run))
        crystal = np.searchsorted(self.start, run, side="right") - 1
        out = np.zeros((len(self.crystals), CRYSTAL_COLUMNS, len(own), PANEL_COLUMNS))
        out[crystal, :, panel[run]] = sums[:, :CRYSTAL_COLUMNS].transpose(2, 1, 0)
        order = np.argsort(panel[run], kind="stable")
        ordered = panel[run][order]
        head = np.flatnonzero(np.diff(ordered, prepend=-1))
        together = np.add.reduceat(sums[:, CRYSTAL_COLUMNS:, order], head, axis=2)
        own[ordered[head]] += together.transpose(2, 0, 1)
        return out.reshape(len(self.crystals), CRYSTAL_COLUMNS, -1)


def is_crowd(seen: Observations, crystal: Ints, coefficients: tuple[int, ...]) -> bool:
    """Whether reflections are few in each group of (experiment, panel, fold), of crystals that
    stand still and were each measured in one experiment only; ``crystal`` (e,)."""
    if seen.basis is not None or len(seen) >= _FEW_IN_GROUP * (len(seen.group_start) - 1):
        return False
    used: Bools = np.bincount(seen.experiment, minlength=len(crystal)) > 0
    alone = np.bincount(crystal[used]).max(initial=0) == 1
    return bool(alone) and max(coefficients) == 1


def _tail(jacobian: Floats, moves: Floats) -> Floats:
    """(3, 8, n) derivatives by pose and beam, and the residual; ``moves`` (n, 6, 6)."""
    out = np.empty((3, TAIL_COLUMNS, jacobian.shape[2]))
    pose = jacobian[:, :PANEL_COLUMNS].transpose(2, 0, 1) @ moves
    out[:, :POSE_COLUMNS] = pose.transpose(1, 2, 0)
    out[:, POSE_COLUMNS] = jacobian[:, BEAM_COLUMN]
    out[:, POSE_COLUMNS + 1] = jacobian[:, RESIDUAL_COLUMN]
    return out
