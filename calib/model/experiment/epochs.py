"""The time of the data from the epochs of scans, which are not always dates.

An epoch counts seconds since 1970-01-01, in local time written as if it were UTC. Some programs
write seconds since the start of the scan instead, or milliseconds, or nothing: then the time of the
data is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from calib.model.base.bounds import LAST_INSTANT
from calib.model.base.text import joined

FIRST_DATA = datetime(1980, 1, 1, tzinfo=UTC)
"""No pixel detector is older. Seconds since the start of a scan, read as a date, are in 1970."""
_FIRST, _LAST = FIRST_DATA.timestamp(), LAST_INSTANT.timestamp()
_MOST_SHOWN = 3


def is_date(epoch: float) -> bool:
    """Whether an epoch is a date at which data can have been taken."""
    return _FIRST <= epoch < _LAST


def earliest(epochs: Iterable[float | None]) -> float | None:
    """The earliest of the epochs that are dates; None if the time is unknown.

    None and 0 among the ``epochs`` are those that are not set.
    """
    return min((epoch for epoch in epochs if epoch and is_date(epoch)), default=None)


def ignored(epochs: Iterable[float | None]) -> str:
    """Why epochs that are set do not give the time of the data, as a clause; empty if they do."""
    wrong = sorted({_reason(epoch) for epoch in epochs if epoch and not is_date(epoch)})
    return joined(wrong[:_MOST_SHOWN]) if wrong else ""


def _reason(epoch: float) -> str:
    if not math.isfinite(epoch):
        return "an epoch in it is not a number"
    if 0.0 < epoch < _FIRST:
        return (
            f"its epoch of {epoch:g} s is before 1980, so it counts from the start of the scan "
            "and is not a date"
        )
    return f"its epoch of {epoch:g} s is not a date from 1980 to 2200"
