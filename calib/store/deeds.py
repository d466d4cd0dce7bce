"""The record's one order: who wrote, when, at which position."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, insert, select

from calib.model.record import Deed
from calib.model.validity import utc
from calib.store.tables import DEED

_TICK = timedelta(microseconds=1)


def add_deed(connection: Connection, deed: Deed) -> tuple[int, Deed]:
    """The next position, and the deed's signature as it is recorded there.

    The time recorded is max(deed.at, last + 1 microsecond), so that a clock which goes backwards
    does no harm. For ``calib.store.log.recording`` alone, in a write that was serialised.
    """
    last = connection.execute(
        select(DEED.c.position, DEED.c.recorded_at).order_by(DEED.c.position.desc()).limit(1)
    ).first()
    position, at = 1, utc(deed.at)
    if last is not None:
        position, at = last.position + 1, max(at, last.recorded_at + _TICK)
    connection.execute(
        insert(DEED).values(position=position, recorded_at=at, actor=deed.actor, host=deed.host)
    )
    return position, Deed(at, deed.actor, deed.host)
