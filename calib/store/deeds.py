"""The record's one order: who wrote, when, at which position."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from calib.model.record import Deed
from calib.store.tables import DEED

_TICK = timedelta(microseconds=1)


def add_deed(connection: Connection, deed: Deed) -> tuple[int, Deed]:
    """The next position, and the deed as it is recorded there.

    The time recorded is max(deed.at, last + 1 microsecond), so that a clock which goes backwards
    does no harm. To be called once in a write, after it was serialised.
    """
    last = connection.execute(
        select(DEED.c.position, DEED.c.recorded_at).order_by(DEED.c.position.desc()).limit(1)
    ).first()
    position, at = 1, deed.at
    if last is not None:
        position, at = last.position + 1, max(deed.at, last.recorded_at + _TICK)
    connection.execute(
        insert(DEED).values(position=position, recorded_at=at, actor=deed.actor, host=deed.host)
    )
    return position, Deed(at, deed.actor, deed.host)


def deed_from(row: Mapping[str, Any], prefix: str = "") -> Deed:
    """The deed in a row that was joined with its columns."""
    return Deed(row[f"{prefix}recorded_at"], row[f"{prefix}actor"], row[f"{prefix}host"])
