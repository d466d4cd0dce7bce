"""Normal equations as small blocks, one per (experiment, panel, fold), without a full Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.algebra.bspline import ORDER
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS
from calib.solve.dataset.prediction import (
    BEAM_COLUMN,
    N_COLUMNS,
    PANEL_COLUMNS,
    RESIDUAL_COLUMN,
    Predictor,
)
from calib.solve.parallel.threads import in_order

_CHUNK = 8192
"""Reflections processed at a time, so that their derivatives stay in the processor's cache."""
_SHORT_RUNS = 32
"""Mean reflections per panel and experiment below which parts span several panels."""
_ENOUGH = 1024
"""Smallest number of reflections in a part of its own."""
_OF_PIECE = 8
"""Parts that one thread processes at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Sums of w J J^T over groups of reflections; the last column of J is the residual."""

    experiment: Ints
    """(g,)"""
    panel: Ints
    """(g,)"""
    fold: Ints
    """(g,)"""
    first: Ints
    """(g,) index of the first spline coefficient of the crystal."""
    matrices: Floats
    """(g, m, m) over the columns of ``prediction.Prediction.jacobian``, where the nine columns of
    the crystal are repeated for each coefficient that a reflection depends on: m is 17 or 44."""

    def of_folds(self, folds: tuple[int, ...]) -> Blocks:
        """The blocks of some folds."""
        mine = np.isin(self.fold, folds)
        return Blocks(
            self.experiment[mine],
            self.panel[mine],
            self.fold[mine],
            self.first[mine],
            self.matrices[mine],
        )

    @property
    def n_coefficients(self) -> int:
        """Number of spline coefficients that a reflection depends on: 1 or 4."""
        return int(self.matrices.shape[1] - N_COLUMNS) // CRYSTAL_COLUMNS + 1

    @property
    def chi_square(self) -> float:
        """The weighted sum of squared residuals."""
        return float(self.matrices[:, -1, -1].sum())


def accumulate(predictor: Predictor, seen: Observations, weights: Floats) -> tuple[Blocks, Floats]:
    """Blocks of all reflections, and their residuals (3, n), at the predictor's point.

    ``weights`` (3, n) are inverse variances, 0 for excluded reflections. A reflection that cannot
    be predicted has a NaN residual and no weight.
    """
    starts = seen.group_start
    m = N_COLUMNS + (0 if seen.basis is None else (ORDER - 1) * CRYSTAL_COLUMNS)
    matrices = np.zeros((len(starts) - 1, m, m))
    residuals, parts = np.empty((3, len(seen))), _parts(seen)

    def summed(first: int) -> list[tuple[int, Floats]]:
        found = []
        for part in parts[first : first + _OF_PIECE]:
            jacobian = predictor.predict(seen, part, derivatives=True).jacobian
            assert jacobian is not None  # noqa: S101 - requested above
            residuals[:, part] = jacobian[:, RESIDUAL_COLUMN]
            lost = ~np.isfinite(residuals[:, part]).all(axis=0)
            if lost.any():
                jacobian[:, :, lost] = 0.0
            jacobian *= np.sqrt(weights[:, None, part])
            if seen.basis is not None:
                jacobian = _spread(jacobian, seen.basis[:, part])
            group, at = int(np.searchsorted(starts, part.start, side="right")) - 1, part.start
            while at < part.stop:
                end = min(int(starts[group + 1]), part.stop)
                rows = jacobian[:, :, at - part.start : end - part.start]
                found.append((group, (rows @ rows.transpose(0, 2, 1)).sum(axis=0)))
                at, group = end, group + 1
        return found

    for piece in in_order(summed, range(0, len(parts), _OF_PIECE)):
        for group, own in piece:
            matrices[group] += own
    head = starts[:-1]
    blocks = Blocks(
        seen.experiment[head], seen.panel[head], seen.fold[head], seen.first[head], matrices
    )
    return blocks, residuals


def _parts(seen: Observations) -> list[slice]:
    """Runs of reflections: one panel of one experiment where it has many, else several."""
    start = seen.group_start
    head = start[:-1]
    new = (np.diff(seen.experiment[head]) != 0) | (np.diff(seen.panel[head]) != 0)
    if len(seen) < _SHORT_RUNS * (1 + int(new.sum())):
        return [slice(low, min(low + _CHUNK, len(seen))) for low in range(0, len(seen), _CHUNK)]
    bounds = [0, *head[1:][new].tolist(), len(seen)]
    parts, low = [], 0
    for begin, end in pairwise(bounds):
        if low < begin and (end - begin >= _ENOUGH or end - low > _CHUNK):
            parts.append(slice(low, begin))
            low = begin
        while end - low > _CHUNK:
            parts.append(slice(low, low + _CHUNK))
            low += _CHUNK
        if low >= begin and end - low >= _ENOUGH:
            parts.append(slice(low, end))
            low = end
    if low < len(seen):
        parts.append(slice(low, len(seen)))
    return parts


def _spread(jacobian: Floats, basis: Floats) -> Floats:
    """Derivatives (3, 44, n): the crystal's nine columns are repeated for each coefficient."""
    before, after = jacobian[:, :PANEL_COLUMNS], jacobian[:, BEAM_COLUMN:]
    crystal = jacobian[:, PANEL_COLUMNS:BEAM_COLUMN]
    return np.concatenate([before, *(b * crystal for b in basis), after], axis=1)


def residuals_at(predictor: Predictor, seen: Observations) -> Floats:
    """Residuals (3, n), observed minus calculated, in mm, mm and rad."""
    out, parts = np.empty((3, len(seen))), _parts(seen)

    def fill(first: int) -> None:
        for part in parts[first : first + _OF_PIECE]:
            calculated = predictor.predict(seen, part, derivatives=False).calculated
            np.subtract(seen.observed[:, part], calculated, out=out[:, part])

    for _ in in_order(fill, range(0, len(parts), _OF_PIECE)):
        pass
    return out
