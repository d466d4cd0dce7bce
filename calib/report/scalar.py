"""Single values as in JSON."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from calib.model.store.log import Moment
from calib.model.store.validity import shown_instant


def number(value: float | None) -> float | None:
    """The number as a float; None for None, NaN and infinity, which JSON cannot express."""
    return None if value is None or not math.isfinite(value) else float(value)


def instant(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, such as ``2026-03-01T09:30:00Z``."""
    return None if value is None else shown_instant(value)


def moment_view(moment: Moment) -> dict[str, Any]:
    """A position in the log, with the time of its entry."""
    return {"position": moment.position, "at": instant(moment.at)}
