"""Residual statistics of several datasets pooled from those of each.

Root mean squares are pooled exactly. Medians are replaced by the mean of the datasets' medians,
weighted by the number of reflections. Rows are those of ``calib.model.result.fit_table``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.result.fit_table import COLUMNS, FitTable, ShellTable
from calib.model.result.report import BeforeAfter, Shell, Spread

SHELL_PER_SQUARE_ANGSTROM = 0.02
"""Width in 1/d^2 (1/Angstrom^2) of the resolution shells common to all datasets."""
_SHELLS = 8
_FEWEST_IN_SHELL = 200
_SQUARED = np.array([name.startswith("rms") for name in COLUMNS[1:]])


def pooled_fits(tables: Sequence[FitTable], factors: Floats) -> FitTable:
    """Pooled statistics of each group over m datasets, with the residuals after correction of each
    dataset multiplied by its factor (m,)."""
    values = np.stack([table.values for table in tables])
    values[..., 1, 1:] *= factors[:, None, None, None]
    return FitTable(_summed(values, np.zeros(len(values), dtype=np.int64))[0])


def pooled_shells(tables: Sequence[ShellTable], factors: Floats) -> tuple[Shell, ...]:
    """Resolution shells over all datasets, merged with neighbours until about equally populated.

    ``factors`` are as for ``pooled_fits``.
    """
    values = np.concatenate([table.values for table in tables])
    values[:, 1, 1:] *= np.repeat(factors, [len(table) for table in tables])[:, None]
    limits = np.concatenate([table.limits for table in tables])
    narrow = np.unique(_shell_numbers(limits), return_inverse=True)[1]
    limits, values = _joined(limits, values, narrow)
    n = values[:, 1, 0]
    total = n.sum()
    count = min(_SHELLS, int(total) // _FEWEST_IN_SHELL)
    if count < 2:
        return ()
    middle = np.cumsum(n) - 0.5 * n
    group = np.minimum((count * middle / total).astype(np.int64), count - 1)
    found = ShellTable(*_joined(limits, values, np.unique(group, return_inverse=True)[1]))
    return tuple(found[place] for place in range(len(found)))


def stretched_after(both: BeforeAfter, factor: float) -> BeforeAfter:
    """The statistics with the residuals after correction multiplied by ``factor``."""
    after = {name: getattr(both.after, name) * factor for name in COLUMNS[1:]}
    return BeforeAfter(both.before, Spread(both.after.n, **after))


def _joined(limits: Floats, values: Floats, group: Ints) -> tuple[Floats, Floats]:
    """Merge the shells of each group; groups are numbered without gaps."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    most = np.maximum.reduceat(limits[order, 0], starts)
    least = np.minimum.reduceat(limits[order, 1], starts)
    return np.stack([most, least], axis=1), _summed(values, group)


def _summed(values: Floats, group: Ints) -> Floats:
    """Pooled rows (g, ..., 7) of the groups of rows (m, ..., 7)."""
    n = values[..., :1]
    moments = np.where(_SQUARED, values[..., 1:] ** 2, values[..., 1:])
    total = np.zeros((int(group.max()) + 1, *values.shape[1:]))
    np.add.at(total, group, np.concatenate([n, n * moments], axis=-1))
    mean = total[..., 1:] / np.maximum(total[..., :1], 1.0)
    total[..., 1:] = np.where(_SQUARED, np.sqrt(mean), mean)
    return total


def _shell_numbers(limits_angstrom: Floats) -> Ints:
    """Index (s,) of the common shell that contains each shell with limits (s, 2) in Angstrom."""
    middle = np.mean(limits_angstrom**-2.0, axis=1)
    return np.asarray((middle / SHELL_PER_SQUARE_ANGSTROM).astype(np.int64))
