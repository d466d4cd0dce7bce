"""Residual statistics of many groups of reflections as arrays: a summary has hundreds of groups,
and dozens of summaries are pooled at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any

import numpy as np

from calib.model.base.arrays import Floats, frozen_floats
from calib.model.result.report import BeforeAfter, Fit, Shell, Spread

COLUMNS = tuple(f.name for f in fields(Spread))
"""The columns of a row; the count is first."""
_NONE = [[0.0] * len(COLUMNS)] * 2
_SIDE = itemgetter(*COLUMNS)
_SORTED = sorted(range(len(COLUMNS)), key=COLUMNS.__getitem__)
_SPREAD = ", ".join(f'"{COLUMNS[k]}": {"%d" if k == 0 else "%r"}' for k in _SORTED)
_BOTH = f'{{"after": {{{_SPREAD}}}, "before": {{{_SPREAD}}}}}'
"""A pair as JSON with sorted keys."""


@dataclass(frozen=True, slots=True, eq=False)
class FitTable:
    """k values of ``Fit`` as one array."""

    values: Floats
    """(k, 2, 2, 7): group, used and held-out, before and after, statistic; zeros without
    reflections."""

    def __post_init__(self) -> None:
        shape = (None, 2, 2, len(COLUMNS))
        object.__setattr__(self, "values", frozen_floats(self.values, shape, "residuals"))

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of(fits: Iterable[Fit]) -> FitTable:
        """The table of these fits."""
        return FitTable(np.array([[_row(fit.used), _row(fit.held_out)] for fit in fits]))

    def __getitem__(self, place: int) -> Fit:
        used, held_out = self.values[place].tolist()
        return Fit(_pair(used), _pair(held_out))

    def content(self) -> list[dict[str, Any]]:
        """The same content as ``to_content`` of the fits."""
        return [
            {"used": _pair_content(used), "held_out": _pair_content(held_out)}
            for used, held_out in self.values.tolist()
        ]

    def texts(self) -> list[str]:
        """The content of each fit as JSON with sorted keys."""
        both = iter(_texts(self.values.reshape(-1, 2, len(COLUMNS))))
        return [
            f'{{"held_out": {held_out}, "used": {used}}}'
            for used, held_out in zip(both, both, strict=True)
        ]

    @staticmethod
    def from_content(content: Sequence[Mapping[str, Any]]) -> FitTable:
        """The table with this content."""
        rows = [(_read(one["used"]), _read(one["held_out"])) for one in content]
        return FitTable(np.array(rows, dtype=np.float64).reshape(-1, 2, 2, len(COLUMNS)))


@dataclass(frozen=True, slots=True, eq=False)
class ShellTable:
    """s values of ``Shell`` as arrays."""

    limits: Floats
    """(s, 2) the largest and the smallest d in Angstrom."""
    values: Floats
    """(s, 2, 7) before and after."""

    def __post_init__(self) -> None:
        n = len(self.limits)
        object.__setattr__(self, "limits", frozen_floats(self.limits, (n, 2), "limits"))
        shape = (n, 2, len(COLUMNS))
        object.__setattr__(self, "values", frozen_floats(self.values, shape, "residuals"))

    def __len__(self) -> int:
        return len(self.limits)

    @staticmethod
    def of(shells: Sequence[Shell]) -> ShellTable:
        """The table of these shells."""
        limits = [(shell.d_max_angstrom, shell.d_min_angstrom) for shell in shells]
        values = [_row(shell.held_out) for shell in shells]
        return ShellTable(
            np.array(limits).reshape(-1, 2), np.array(values).reshape(-1, 2, len(COLUMNS))
        )

    def __getitem__(self, place: int) -> Shell:
        pair = _pair(self.values[place].tolist())
        assert pair is not None  # noqa: S101 - a shell is never empty
        largest, smallest = self.limits[place].tolist()
        return Shell(largest, smallest, pair)

    def content(self) -> list[dict[str, Any]]:
        """The same content as ``to_content`` of the shells."""
        both = zip(self.limits.tolist(), self.values.tolist(), strict=True)
        return [
            {"d_max_angstrom": most, "d_min_angstrom": least, "held_out": _pair_content(pair)}
            for (most, least), pair in both
        ]

    def texts(self) -> list[str]:
        """The content of each shell as JSON with sorted keys."""
        both = zip(self.limits.tolist(), _texts(self.values), strict=True)
        return [
            f'{{"d_max_angstrom": {most!r}, "d_min_angstrom": {least!r}, "held_out": {held_out}}}'
            for (most, least), held_out in both
        ]

    @staticmethod
    def from_content(content: Sequence[Mapping[str, Any]]) -> ShellTable:
        """The table with this content."""
        limits = [(one["d_max_angstrom"], one["d_min_angstrom"]) for one in content]
        values = [_read(one["held_out"]) for one in content]
        return ShellTable(
            np.array(limits, dtype=np.float64).reshape(-1, 2),
            np.array(values, dtype=np.float64).reshape(-1, 2, len(COLUMNS)),
        )


def _row(both: BeforeAfter | None) -> Sequence[Sequence[float]]:
    if both is None:
        return _NONE
    return [[getattr(side, name) for name in COLUMNS] for side in (both.before, both.after)]


def _pair(values: Sequence[Sequence[float]]) -> BeforeAfter | None:
    if not values[0][0]:
        return None
    before, after = (Spread(int(count), *rest) for count, *rest in values)
    return BeforeAfter(before, after)


def _pair_content(values: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    if not values[0][0]:
        return None
    before, after = (dict(zip(COLUMNS, (int(side[0]), *side[1:]), strict=True)) for side in values)
    return {"before": before, "after": after}


def _read(both: Mapping[str, Mapping[str, float]] | None) -> Sequence[Sequence[float]]:
    if both is None:
        return _NONE
    return _SIDE(both["before"]), _SIDE(both["after"])


def _texts(values: Floats) -> list[str]:
    """Pairs (k, 2, 7) as JSON."""
    rows = values[:, ::-1][:, :, _SORTED].reshape(len(values), 2 * len(COLUMNS)).tolist()
    counts = values[:, 0, 0].tolist()
    return [
        _BOTH % tuple(row) if count else "null" for row, count in zip(rows, counts, strict=True)
    ]
