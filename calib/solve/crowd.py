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
from dataclasses import dataclass, field, replace
from itertools import pairwise

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
    chi_square: float
    """The weighted sum of squared residuals."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Reflections of a crowd at one point, linearised wherever they are needed."""

    stage: Stage
    seen: Observations
    weights: Floats
    """(3, n) inverse variances; 0 for reflections that are left out."""
    about_mm: Floats
    """(3,) the point that the pose turns about."""
    folds: tuple[int, ...] = (0, 1, 2, 3)
    kept: dict[tuple[int, ...], Sums] = field(default_factory=dict)
    """What has been summed before, panels and all."""

    def of_folds(self, folds: tuple[int, ...]) -> Crowd:
        """The reflections of some folds only."""
        return replace(self, folds=folds)

    @property
    def chi_square(self) -> float:
        """The weighted sum of squared residuals."""
        return self.summed(panels=True).chi_square

    def summed(self, *, panels: bool) -> Sums:
        """All crystals eliminated; without ``panels`` these are left out of ``total``, which then
        tells of pose, beam and residual alone."""
        if panels and self.folds in self.kept:
            return self.kept[self.folds]
        growing = _Growing.of(self._moves(), panels=panels)
        for batch in self._batches():
            growing.add(batch, self._weighted(batch.part), self._basis(batch.crystals))
        sums = growing.finished()
        if panels:
            self.kept[self.folds] = sums
        return sums

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
            yield _Batch(part, crystals, start[first:last] - part.start, self.seen.panel[part])
            first = last


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Some whole crystals' reflections, crystal after crystal."""

    part: slice
    crystals: Ints
    """(k,)"""
    start: Ints
    """(k,) where in the part each begins."""

    panel: Ints
    """(n,) of each reflection."""

    def padded(self, rows: Floats) -> Floats:
        """(k, 3 m, columns) of the (3, columns, n) derivatives, m the most reflections of any."""
        crystal, place, most = self._places()
        out = np.zeros((len(self.start), most, *rows.shape[:2]))
        out[crystal, place] = rows.transpose(2, 0, 1)
        return out.reshape(len(out), -1, rows.shape[1])

    def unpadded(self, padded: Floats) -> Floats:
        """(2, columns, n) the same back, of x and y alone."""
        crystal, place, most = self._places()
        rows = padded.reshape(len(padded), most, 3, -1)[crystal, place, :2]
        return np.ascontiguousarray(rows.transpose(1, 2, 0))

    def coupling(self, directions: Floats, by_panel: Floats, n_panels: int) -> Floats:
        """(k, r, 6 n) of the crystals' ``directions`` (2, r, n) to the panels, ``by_panel``
        (2, 6, n) being the derivatives by those."""
        products = np.empty((PANEL_COLUMNS, *directions.shape[1:]))
        for row in range(PANEL_COLUMNS):
            np.multiply(directions[0], by_panel[0, row], out=products[row])
            products[row] += directions[1] * by_panel[1, row]
        new = np.diff(self.panel, prepend=-1) != 0
        new[self.start] = True
        run = np.flatnonzero(new)
        sums = np.add.reduceat(products.reshape(-1, products.shape[2]), run, axis=1)
        crystal = np.searchsorted(self.start, run, side="right") - 1
        out = np.zeros((len(self.crystals), n_panels, PANEL_COLUMNS * directions.shape[1]))
        out[crystal, self.panel[run]] = sums.T
        out = out.reshape(len(out), n_panels, PANEL_COLUMNS, -1)
        return out.transpose(0, 3, 1, 2).reshape(len(out), -1, PANEL_COLUMNS * n_panels)

    def _places(self) -> tuple[Ints, Ints, int]:
        """(n,) and (n,) which crystal and reflection of it each is, and the most of any."""
        n = self.part.stop - self.part.start
        count = np.diff(self.start, append=n)
        crystal = np.repeat(np.arange(len(count)), count)
        return crystal, np.arange(n) - np.repeat(self.start, count), int(count.max())


@dataclass(slots=True)
class _Growing:
    """Sums over the batches so far."""

    moves: Floats
    """(n, 6, 6) the adjoints of the panels in the one pose."""
    panels: bool
    total: Floats
    """What crystals have taken."""
    own: Floats
    """(n, 6, 8) sums over each panel's reflections: panel with panel, beam and residual."""
    rest: Floats
    """(2, 2) the same of beam and residual, in all three coordinates."""
    crystals: list[Ints] = field(default_factory=list)
    backs: list[Floats] = field(default_factory=list)
    tails: list[Floats] = field(default_factory=list)

    @staticmethod
    def of(moves: Floats, *, panels: bool) -> _Growing:
        n = len(moves)
        size = (PANEL_COLUMNS * n if panels else 0) + TAIL_COLUMNS
        own = np.zeros((n, PANEL_COLUMNS, PANEL_COLUMNS + 2))
        return _Growing(moves, panels, np.zeros((size, size)), own, np.zeros((2, 2)))

    def add(self, batch: _Batch, jacobian: Floats, basis: Floats) -> None:
        """One batch's ``jacobian`` (3, 17, n), weighted, and its crystals' own parameters."""
        rest = jacobian[:, [BEAM_COLUMN, RESIDUAL_COLUMN]]
        self.rest += np.tensordot(rest, rest, axes=((0, 2), (0, 2)))
        by_panel = jacobian[:2, :PANEL_COLUMNS]
        self._add_panels(batch.panel, by_panel, rest[:2])
        mine = batch.padded(jacobian[:, _CRYSTAL])
        across = mine.transpose(0, 2, 1)
        back = basis @ all_whitened(basis.transpose(0, 2, 1) @ (across @ mine) @ basis)
        backwards = back.transpose(0, 2, 1)
        tail = np.empty((*backwards.shape[:2], TAIL_COLUMNS))
        tail[:, :, POSE_COLUMNS:] = backwards @ (across @ batch.padded(rest))
        if self.panels:
            directions = batch.unpadded(mine @ back)
            far = batch.coupling(directions, by_panel, len(self.moves))
            tail[:, :, :POSE_COLUMNS] = far @ self.moves.reshape(-1, POSE_COLUMNS)
            flat = np.concatenate([far, tail], axis=2).reshape(-1, len(self.total))
        else:
            pose = batch.padded(self._by_pose(batch.panel, jacobian))
            tail[:, :, :POSE_COLUMNS] = backwards @ (across @ pose)
            flat = tail.reshape(-1, TAIL_COLUMNS)
        self.total -= flat.T @ flat
        self.crystals.append(batch.crystals)
        self.backs.append(back)
        self.tails.append(tail)

    def _by_pose(self, panel: Ints, jacobian: Floats) -> Floats:
        """(3, 6, n) derivatives by the pose: those by the panels, through their adjoints."""
        moves = self.moves.transpose(1, 2, 0)[:, :, panel]
        out = np.zeros((3, POSE_COLUMNS, len(panel)))
        for row in range(2):
            for column in range(POSE_COLUMNS):
                # A shift of the pose turns no panel.
                for along in range(3 if column < 3 else PANEL_COLUMNS):
                    out[row, column] += jacobian[row, along] * moves[along, column]
        return out

    def _add_panels(self, panel: Ints, by_panel: Floats, rest: Floats) -> None:
        order = np.argsort(panel, kind="stable")
        columns = np.concatenate([by_panel, rest], axis=1)[:, :, order]
        bounds = np.searchsorted(panel[order], np.arange(len(self.own) + 1)).tolist()
        for index, (low, high) in enumerate(pairwise(bounds)):
            if low < high:
                mine = columns[:, :, low:high]
                products = mine[:, :PANEL_COLUMNS] @ mine.transpose(0, 2, 1)
                self.own[index] += products.sum(axis=0)

    def finished(self) -> Sums:
        """With what the panels, pose, beam and residual say of themselves."""
        information, others = np.split(self.own, [PANEL_COLUMNS], axis=2)
        to_pose = information @ self.moves
        across = np.concatenate([to_pose, others], axis=2)
        whole = np.zeros((TAIL_COLUMNS, TAIL_COLUMNS))
        turned = self.moves.transpose(0, 2, 1)
        whole[:POSE_COLUMNS, :POSE_COLUMNS] = (turned @ to_pose).sum(axis=0)
        whole[:POSE_COLUMNS, POSE_COLUMNS:] = (turned @ others).sum(axis=0)
        whole[POSE_COLUMNS:, :POSE_COLUMNS] = whole[:POSE_COLUMNS, POSE_COLUMNS:].T
        whole[POSE_COLUMNS:, POSE_COLUMNS:] = self.rest
        total = self.total.copy()
        total[-TAIL_COLUMNS:, -TAIL_COLUMNS:] += whole
        for p in range(len(self.own) if self.panels else 0):
            rows = slice(PANEL_COLUMNS * p, PANEL_COLUMNS * (p + 1))
            total[rows, rows] += information[p]
            total[rows, -TAIL_COLUMNS:] += across[p]
            total[-TAIL_COLUMNS:, rows] += across[p].T
        return Sums(
            total,
            np.diag(whole)[:-1].copy(),
            information,
            np.concatenate(self.crystals),
            np.concatenate(self.backs),
            np.concatenate(self.tails),
            float(self.rest[-1, -1]),
        )


def is_crowd(seen: Observations, crystal: Ints, coefficients: tuple[int, ...]) -> bool:
    """Whether reflections are few in each group of (experiment, panel, fold), of crystals that
    stand still and were each measured in one experiment only; ``crystal`` (e,)."""
    if seen.basis is not None or len(seen) >= _FEW_IN_GROUP * (len(seen.group_start) - 1):
        return False
    used: Bools = np.bincount(seen.experiment, minlength=len(crystal)) > 0
    alone = np.bincount(crystal[used]).max(initial=0) == 1
    return bool(alone) and max(coefficients) == 1
