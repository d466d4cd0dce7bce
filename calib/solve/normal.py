"""Normal equations in small blocks: one per (experiment, panel, fold), never a full Jacobian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats, Ints
from calib.solve.observations import Observations
from calib.solve.rotation import N_COLUMNS, RESIDUAL_COLUMN, Stage

_CHUNK = 8192
"""Reflections at a time, so that the derivatives stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Sums of w J J^T over groups of reflections; the last column of J is the residual."""

    experiment: Ints
    """(g,)"""
    panel: Ints
    """(g,)"""
    fold: Ints
    """(g,)"""
    matrices: Floats
    """(g, 17, 17) over the columns of ``rotation.Prediction.jacobian``."""

    def of_folds(self, folds: tuple[int, ...]) -> Blocks:
        """The blocks of some folds only."""
        mine = np.isin(self.fold, folds)
        return Blocks(self.experiment[mine], self.panel[mine], self.fold[mine], self.matrices[mine])

    @property
    def chi_square(self) -> float:
        """The weighted sum of squared residuals."""
        return float(self.matrices[:, RESIDUAL_COLUMN, RESIDUAL_COLUMN].sum())


def accumulated(stage: Stage, seen: Observations, weights: Floats) -> tuple[Blocks, Floats]:
    """The blocks of all reflections, and the residuals (3, n) at the same point.

    ``weights`` (3, n) are inverse variances, 0 for reflections that are left out. A reflection
    that cannot be predicted has a NaN residual and no weight.
    """
    starts = seen.group_start
    matrices = np.zeros((len(starts) - 1, N_COLUMNS, N_COLUMNS))
    residuals = np.empty((3, len(seen)))
    for low in range(0, len(seen), _CHUNK):
        part = slice(low, min(low + _CHUNK, len(seen)))
        jacobian = stage.predict(seen, part, derivatives=True).jacobian
        assert jacobian is not None  # noqa: S101 - asked for above
        residuals[:, part] = jacobian[:, RESIDUAL_COLUMN]
        lost = ~np.isfinite(residuals[:, part]).all(axis=0)
        if lost.any():
            jacobian[:, :, lost] = 0.0
        jacobian *= np.sqrt(weights[:, None, part])
        first = int(np.searchsorted(starts, part.start, side="right")) - 1
        group, at = first, part.start
        while at < part.stop:
            end = min(int(starts[group + 1]), part.stop)
            rows = jacobian[:, :, at - low : end - low]
            matrices[group] += (rows @ rows.transpose(0, 2, 1)).sum(axis=0)
            at, group = end, group + 1
    head = starts[:-1]
    blocks = Blocks(seen.experiment[head], seen.panel[head], seen.fold[head], matrices)
    return blocks, residuals


def residuals_at(stage: Stage, seen: Observations) -> Floats:
    """(3, n) observed minus calculated, in mm, mm and rad."""
    out = np.empty((3, len(seen)))
    for low in range(0, len(seen), _CHUNK):
        part = slice(low, min(low + _CHUNK, len(seen)))
        calculated = stage.predict(seen, part, derivatives=False).calculated
        out[:, part] = seen.observed[:, part] - calculated
    return out
