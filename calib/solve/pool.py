"""Residuals of many datasets as those of one, from their moments.

Root mean squares add up exactly. A median does not: what stands for it is the mean of the
datasets' medians, weighted by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from calib.model.report import BeforeAfter, Fit, Shell, Spread
from calib.solve.summary import shell_number

_SHELLS = 8
_FEWEST_IN_SHELL = 100


def pooled_fit(fits: Sequence[Fit]) -> Fit:
    """Used and held-out residuals of all together."""
    return Fit(_pooled([fit.used for fit in fits]), _pooled([fit.held_out for fit in fits]))


def pooled_shells(parts: Sequence[Sequence[Shell]]) -> tuple[Shell, ...]:
    """Shells common to all datasets, neighbours joined until all are about equally filled."""
    narrow: dict[int, list[Shell]] = {}
    for shell in (shell for part in parts for shell in part):
        narrow.setdefault(shell_number(shell), []).append(shell)
    joined = [_joined(narrow[number]) for number in sorted(narrow)]
    total = sum(shell.held_out.after.n for shell in joined)
    count = min(_SHELLS, total // _FEWEST_IN_SHELL)
    if count < 2:
        return ()
    groups: list[list[Shell]] = [[] for _ in range(count)]
    filled = 0
    for shell in joined:
        middle = filled + 0.5 * shell.held_out.after.n
        groups[min(int(count * middle / total), count - 1)].append(shell)
        filled += shell.held_out.after.n
    return tuple(_joined(group) for group in groups if group)


def stretched(fit: Fit, factor: float) -> Fit:
    """The same with the residuals after the correction larger by a factor."""
    return Fit(*(stretched_after(both, factor) for both in (fit.used, fit.held_out)))


def stretched_after(both: BeforeAfter | None, factor: float) -> BeforeAfter | None:
    """``stretched`` of one pair."""
    if both is None:
        return None
    after = {f.name: getattr(both.after, f.name) * factor for f in fields(Spread) if f.name != "n"}
    return BeforeAfter(both.before, Spread(both.after.n, **after))


def _joined(shells: Sequence[Shell]) -> Shell:
    both = _pooled([shell.held_out for shell in shells])
    assert both is not None  # noqa: S101 - a shell is never empty
    return Shell(
        max(shell.d_max_angstrom for shell in shells),
        min(shell.d_min_angstrom for shell in shells),
        both,
    )


def _pooled(pairs: Sequence[BeforeAfter | None]) -> BeforeAfter | None:
    found = [pair for pair in pairs if pair is not None]
    if not found:
        return None
    return BeforeAfter(_spread([p.before for p in found]), _spread([p.after for p in found]))


def _spread(parts: Sequence[Spread]) -> Spread:
    n = np.array([part.n for part in parts], dtype=np.float64)
    values: dict[str, float] = {}
    for name in (f.name for f in fields(Spread) if f.name != "n"):
        own = np.array([getattr(part, name) for part in parts])
        squared = name.startswith("rms")
        mean = float(np.average(own**2 if squared else own, weights=n))
        values[name] = float(np.sqrt(mean)) if squared else mean
    return Spread(int(n.sum()), **values)
