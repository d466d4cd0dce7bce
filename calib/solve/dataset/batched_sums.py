"""Normal equations with crystals eliminated, accumulated batch by batch.

Let U be the derivatives by the parameters of a crystal, P those by the panels, and T those by pose
and beam with the residual as last column. With W^T (U^T U) W = 1, eliminating the crystal subtracts

    (W^T U^T [P T])^T (W^T U^T [P T])

from the sums. The crystals of a batch are arranged on a grid, so that all are multiplied at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS
from calib.solve.dataset.whitening import POSE_COLUMNS, whiten_all


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n reflections of k crystals, crystal after crystal."""

    part: slice | Ints
    """Which of the observations."""
    crystals: Ints
    """(k,)"""
    start: Ints
    """(k,) where each begins."""
    panel: Ints
    """(n,) of each reflection."""
    padding: Ints
    """(k m,) which reflection stands at each place of a grid of k crystals by m reflections, the
    most of any; n where there is none."""
    place: Ints
    """(n,) where in the grid each stands."""

    @staticmethod
    def of(part: slice | Ints, seen: Observations, crystal: Ints) -> Batch:
        """``part`` of the observations; ``crystal`` (e,) of each experiment."""
        experiment, panel = seen.experiment[part], seen.panel[part]
        n = len(experiment)
        start = np.flatnonzero(np.diff(experiment, prepend=-1))
        count = np.diff(start, append=n)
        most = int(count.max())
        place = np.arange(n) + np.repeat(np.arange(len(start)) * most - start, count)
        padding = np.full(len(start) * most, n)
        padding[place] = np.arange(n)
        return Batch(part, crystal[experiment[start]], start, panel, padding, place)

    def grid(self, rows: Floats) -> Floats:
        """(k, 3, columns, m) views of derivatives (3, columns, n), 0 where there is none."""
        n = rows.shape[2]
        padded = np.empty((*rows.shape[:2], n + 1))
        padded[:, :, :n], padded[:, :, n] = rows, 0.0
        found = np.take(padded, self.padding, axis=2)
        return found.reshape(*rows.shape[:2], len(self.start), -1).transpose(2, 0, 1, 3)

    def back_in_line(self, grid: Floats) -> Floats:
        """(2, columns, n) of a contiguous grid (2, columns, k, m)."""
        return np.take(grid.reshape(*grid.shape[:2], -1), self.place, axis=2)

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


TAIL_COLUMNS = POSE_COLUMNS + 2
"""Pose, beam and residual."""
_POSE = slice(0, POSE_COLUMNS)
_PANELS = slice(0, PANEL_COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class EliminatedCrystals:
    """Sums over all crystals after their elimination."""

    total: Floats
    """(6 n + 8, 6 n + 8) over panels, pose, beam and residual."""
    alone: Floats
    """(7,) the diagonal over pose and beam before crystals were eliminated."""
    panel_information: Floats
    """(n, 6, 6); 0 where panels are left out."""
    crystals: Ints
    """(c,) which crystals have reflections."""
    back: Floats
    """(c, 9, r) from whitened directions to a crystal's nine columns."""
    tail: Floats
    """(c, r, 8) whitened coupling to pose, beam and residual."""
    chi_square: float
    """The weighted sum of squared residuals."""


@dataclass(slots=True, eq=False)
class Accumulator:
    """Sums over the batches so far."""

    moves: Floats
    """(n, 6, 6) the adjoints of the panels in the one pose."""
    panels: bool
    total: Floats
    """Minus the sum of what the eliminations subtract."""
    own: Floats
    """(n, 6, 8) sums over each panel's reflections: panel with panel, beam and residual."""
    rest: Floats
    """(8, 8) sums over pose, beam and residual in all three coordinates; with panels only those of
    beam and residual, since the sums over the pose follow from those over the panels."""
    crystals: list[Ints]
    backs: list[Floats]
    tails: list[Floats]
    _turned: Floats = field(init=False)
    """(6, 6, n) the adjoints, panels last."""

    def __post_init__(self) -> None:
        self._turned = np.ascontiguousarray(self.moves.transpose(1, 2, 0))

    @staticmethod
    def of(moves: Floats, width: int, *, panels: bool) -> Accumulator:
        """Nothing yet, of crystals that have ``width`` parameters at most."""
        n = len(moves)
        size = (PANEL_COLUMNS * n if panels else 0) + TAIL_COLUMNS
        return Accumulator(
            moves=moves,
            panels=panels,
            total=np.zeros((size, size)),
            own=np.zeros((n, PANEL_COLUMNS, PANEL_COLUMNS + 2)),
            rest=np.zeros((TAIL_COLUMNS, TAIL_COLUMNS)),
            crystals=[np.zeros(0, dtype=np.int64)],
            backs=[np.zeros((0, CRYSTAL_COLUMNS, width))],
            tails=[np.zeros((0, width, TAIL_COLUMNS))],
        )

    def plus(self, other: Accumulator) -> Accumulator:
        """These sums with those of the batches that come behind."""
        self.total += other.total
        self.own += other.own
        self.rest += other.rest
        self.crystals += other.crystals
        self.backs += other.backs
        self.tails += other.tails
        return self

    def add(self, batch: Batch, jacobian: Floats, basis: Floats) -> None:
        """One batch's ``jacobian`` (3, 17, n), weighted, and its crystals' own parameters
        ``basis`` (k, 9, r)."""
        first, poses = PANEL_COLUMNS, []
        if not self.panels:
            # Derivatives by the pose in the place of those by the panels.
            jacobian[:2, _POSE] = self._by_pose(batch.panel, jacobian)
            first, poses = 0, list(range(POSE_COLUMNS))
        grid = batch.grid(jacobian[:, first:])
        gram = (grid @ grid.transpose(0, 1, 3, 2)).sum(axis=1)
        crystal = slice(PANEL_COLUMNS - first, BEAM_COLUMN - first)
        rest = [*poses, crystal.stop, crystal.stop + 1]
        n_rest = len(rest)
        self.rest[-n_rest:, -n_rest:] += gram[:, rest][:, :, rest].sum(axis=0)
        turned = basis.transpose(0, 2, 1)
        back = basis @ whiten_all(turned @ gram[:, crystal, crystal] @ basis)
        backwards = back.transpose(0, 2, 1)
        tail = np.empty((*backwards.shape[:2], TAIL_COLUMNS))
        tail[:, :, -n_rest:] = backwards @ gram[:, crystal][:, :, rest]
        if self.panels:
            by_panel = jacobian[:2, _PANELS]
            self._add_panels(batch.panel, by_panel, jacobian[:2, BEAM_COLUMN:])
            directions = np.empty((2, back.shape[2], len(back), grid.shape[3]))
            np.matmul(
                backwards[:, None], grid[:, :2, crystal], out=directions.transpose(2, 0, 1, 3)
            )
            far = batch.coupling(batch.back_in_line(directions), by_panel, len(self.moves))
            tail[:, :, _POSE] = far @ self.moves.reshape(-1, POSE_COLUMNS)
            flat = np.concatenate([far, tail], axis=2).reshape(-1, len(self.total))
        else:
            flat = tail.reshape(-1, TAIL_COLUMNS)
        self.total -= flat.T @ flat
        self.crystals.append(batch.crystals)
        self.backs.append(back)
        self.tails.append(tail)

    def _by_pose(self, panel: Ints, jacobian: Floats) -> Floats:
        """(2, 6, n) derivatives of x and y by the pose: those by the panels, through their
        adjoints."""
        moves = np.take(self._turned, panel, axis=2)
        out = np.zeros((2, POSE_COLUMNS, len(panel)))
        for row in range(2):
            for column in range(POSE_COLUMNS):
                # A shift of the pose turns no panel, nor does a panel's along one axis of its
                # own move spots along the other.
                for along in range(3 if column < 3 else PANEL_COLUMNS):
                    if along != 1 - row:
                        out[row, column] += jacobian[row, along] * moves[along, column]
        return out

    def _add_panels(self, panel: Ints, by_panel: Floats, rest: Floats) -> None:
        order = np.argsort(panel.astype(np.int16), kind="stable")  # by radix
        columns = np.take(np.concatenate([by_panel, rest], axis=1), order, axis=2)
        bounds = np.searchsorted(panel[order], np.arange(len(self.own) + 1)).tolist()
        for index, (low, high) in enumerate(pairwise(bounds)):
            if low < high:
                mine = columns[:, :, low:high]
                products = mine[:, _PANELS] @ mine.transpose(0, 2, 1)
                self.own[index] += products.sum(axis=0)

    def finished(self) -> EliminatedCrystals:
        """With what the panels, pose, beam and residual say of themselves."""
        information, others = np.split(self.own, [PANEL_COLUMNS], axis=2)
        whole, total = self.rest.copy(), self.total.copy()
        if self.panels:
            to_pose = information @ self.moves
            turned = self.moves.transpose(0, 2, 1)
            whole[_POSE, _POSE] = (turned @ to_pose).sum(axis=0)
            whole[_POSE, POSE_COLUMNS:] = (turned @ others).sum(axis=0)
            whole[POSE_COLUMNS:, _POSE] = whole[_POSE, POSE_COLUMNS:].T
            across = np.concatenate([to_pose, others], axis=2)
            for p in range(len(self.own)):
                rows = slice(PANEL_COLUMNS * p, PANEL_COLUMNS * (p + 1))
                total[rows, rows] += information[p]
                total[rows, -TAIL_COLUMNS:] += across[p]
                total[-TAIL_COLUMNS:, rows] += across[p].T
        total[-TAIL_COLUMNS:, -TAIL_COLUMNS:] += whole
        return EliminatedCrystals(
            total,
            np.diag(whole)[:-1].copy(),
            information,
            np.concatenate(self.crystals),
            np.concatenate(self.backs),
            np.concatenate(self.tails),
            float(self.rest[-1, -1]),
        )
