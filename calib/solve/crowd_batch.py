"""Some crystals of a crowd at a time, laid out so that all are multiplied at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats, Ints
from calib.solve.observations import Observations
from calib.solve.stage import PANEL_COLUMNS


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
