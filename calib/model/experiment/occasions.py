"""Independent occasions on which data were taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

ONE_OCCASION = timedelta(hours=12)
"""Datasets that began at shorter intervals are of one occasion."""


def occasions_of(starts: Sequence[datetime | None]) -> tuple[int, ...] | None:
    """The number of the occasion of each dataset, from 0 in the order of time; None if the time of
    one is unknown."""
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        return None
    order = sorted(range(len(known)), key=known.__getitem__)
    found = [0] * len(known)
    for before, place in pairwise(order):
        found[place] = found[before] + (known[place] - known[before] >= ONE_OCCASION)
    return tuple(found)


def independent_occasions(starts: Sequence[datetime]) -> int:
    """The number of occasions on which datasets were taken that began at these times; 1 if the
    times are unknown."""
    return 1 + max(occasions_of(starts) or (0,), default=0)
