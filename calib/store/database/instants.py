"""Instants as SQLite stores contain them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from calib.errors import IntegrityError
from calib.model.base.canonical import instant_from

_WIDEST = timedelta(hours=23, minutes=59)


def stored_instant(micros: Any) -> datetime:
    """The instant of an integer in an SQLite store, microseconds since 1970-01-01 UTC.

    Earlier programs recorded times of receipts whose offset leads out of the calendar, such as
    0001-01-01T00:00:00+14:00. These are read with an offset again, so that the id of the receipt
    stays verifiable. Raises ``IntegrityError`` for anything that no program recorded.
    """
    try:
        return instant_from(micros)
    except (TypeError, OverflowError):
        pass
    try:
        offset = _WIDEST if micros < 0 else -_WIDEST
        return instant_from(micros + offset // timedelta(microseconds=1)).replace(
            tzinfo=timezone(offset)
        )
    except (TypeError, OverflowError):
        raise IntegrityError(
            "changed-row",
            f"the store contains {micros!r} where a time is expected.",
            remedy="calib audit verify finds the row; restore the store from a backup.",
        ) from None
