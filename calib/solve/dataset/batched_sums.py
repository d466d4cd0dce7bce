"""Normal equations with crystals eliminated, accumulated batch by batch.

Let U be the derivatives with respect to the parameters of a crystal, P those with respect to the
panels, and T those with respect to pose and beam, with the residual as last column. With
W^T (U^T U) W = 1, eliminating the crystal subtracts

    (W^T U^T [P T])^T (W^T U^T [P T])

from the sums. The crystals of a batch are arranged on a grid, so that one product serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.algebra.whitening import whiten_all
from calib.solve.dataset.normal_equations import POSE_COLUMNS, TAIL_COLUMNS
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS
from calib.solve.dataset.prediction import BEAM_COLUMN, PANEL_COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n reflections of k crystals, sorted by crystal."""

    part: slice | Ints
    """Indices of the reflections among the observations."""
    crystals: Ints
    """(k,) indices of the crystals."""
    start: Ints
    """(k,) index of the first reflection of each crystal."""
    panel: Ints
    """(n,) panel of each reflection."""
    padding: Ints
    """(k m,) index of the reflection at each place of a grid of k crystals by m reflections, with
    m the largest number of any crystal; n at empty places."""
    place: Ints
    """(n,) place of each reflection in the grid."""

    @staticmethod
    def of(part: slice | Ints, seen: Observations, crystal: Ints) -> Batch:
        """The batch of the observations ``part``; ``crystal`` (e,) is that of each experiment."""
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
        """Derivatives (3, columns, n) on the grid: (k, 3, columns, m), 0 at empty places."""
        n = rows.shape[2]
        padded = np.empty((*rows.shape[:2], n + 1))
        padded[:, :, :n], padded[:, :, n] = rows, 0.0
        found = np.take(padded, self.padding, axis=2)
        return found.reshape(*rows.shape[:2], len(self.start), -1).transpose(2, 0, 1, 3)

    def back_in_line(self, grid: Floats) -> Floats:
        """Values (2, columns, n) from a contiguous grid (2, columns, k, m)."""
        return np.take(grid.reshape(*grid.shape[:2], -1), self.place, axis=2)

    def coupling(self, directions: Floats, by_panel: Floats, n_panels: int) -> Floats:
        """Coupling (k, r, 6 n_panels) of the crystals' ``directions`` (2, r, n) to the panels;
        ``by_panel`` (2, 6, n) are the derivatives with respect to the panels."""
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
    """(n, 6, 6) information of each panel's own reflections; 0 if summed without panels."""
    crystals: Ints
    """(c,) indices of the crystals that have reflections."""
    back: Floats
    """(c, 9, r) transformation from whitened directions to a crystal's nine columns."""
    tail: Floats
    """(c, r, 8) whitened coupling to pose, beam and residual."""
    chi_square: float
    """The weighted sum of squared residuals."""


@dataclass(slots=True, eq=False)
class Accumulator:
    """Sums over the batches so far."""

    moves: Floats
    """(n, 6, 6) adjoints of the panels in the shared pose."""
    panels: bool
    total: Floats
    """Minus the sum of the terms that the eliminations subtract."""
    own: Floats
    """(n, 6, 8) products of panel with panel, beam and residual, summed for each panel."""
    rest: Floats
    """(8, 8) products of pose, beam and residual, summed over all three coordinates; with panels
    only those of beam and residual, since those of the pose follow from those of the panels."""
    crystals: list[Ints]
    backs: list[Floats]
    tails: list[Floats]
    _turned: Floats = field(init=False)
    """(6, 6, n) adjoints, with the panel as last index."""

    def __post_init__(self) -> None:
        self._turned = np.ascontiguousarray(self.moves.transpose(1, 2, 0))

    @staticmethod
    def of(moves: Floats, width: int, *, panels: bool) -> Accumulator:
        """Empty sums, for crystals with at most ``width`` parameters."""
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
        """Add the sums of the batches that follow, in place."""
        self.total += other.total
        self.own += other.own
        self.rest += other.rest
        self.crystals += other.crystals
        self.backs += other.backs
        self.tails += other.tails
        return self

    def add(self, batch: Batch, jacobian: Floats, basis: Floats) -> None:
        """Add a batch: its weighted ``jacobian`` (3, 17, n), and the ``basis`` (k, 9, r) of its
        crystals' parameters."""
        first, poses = PANEL_COLUMNS, []
        if not self.panels:
            # The derivatives with respect to the pose take the place of those of the panels.
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
        """Derivatives (2, 6, n) of x and y with respect to the pose, from those with respect to the
        panels by their adjoints."""
        moves = np.take(self._turned, panel, axis=2)
        out = np.zeros((2, POSE_COLUMNS, len(panel)))
        for row in range(2):
            for column in range(POSE_COLUMNS):
                # A shift of the pose rotates no panel, and a shift of a panel along one of its
                # axes moves no spot along the other.
                for along in range(3 if column < 3 else PANEL_COLUMNS):
                    if along != 1 - row:
                        out[row, column] += jacobian[row, along] * moves[along, column]
        return out

    def _add_panels(self, panel: Ints, by_panel: Floats, rest: Floats) -> None:
        order = np.argsort(panel.astype(np.int16), kind="stable")  # radix sort
        columns = np.take(np.concatenate([by_panel, rest], axis=1), order, axis=2)
        bounds = np.searchsorted(panel[order], np.arange(len(self.own) + 1)).tolist()
        for index, (low, high) in enumerate(pairwise(bounds)):
            if low < high:
                mine = columns[:, :, low:high]
                products = mine[:, _PANELS] @ mine.transpose(0, 2, 1)
                self.own[index] += products.sum(axis=0)

    def finished(self) -> EliminatedCrystals:
        """The sums, completed with the products of panels, pose, beam and residual."""
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
