"""Layouts that users of a store share: rows to model values and back. Rows are only ever added."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from calib.model.store.log import STORE_CHAIN
from calib.model.store.record import ChangeStamp
from calib.model.store.shared_layout import SharedLayout
from calib.store.log.log import recording
from calib.store.log.verification import verify_layouts
from calib.store.log.written import insert_rows
from calib.store.schema.tables import DEED, LAYOUT


def add_layout(connection: Connection, layout: SharedLayout, stamp: ChangeStamp) -> SharedLayout:
    """Record a file of layouts; returns it with its number and time."""
    with recording(connection, stamp, "layout", STORE_CHAIN, layout.reason) as (
        position,
        recorded,
    ):
        row = {
            "position": position,
            "name": layout.name,
            "content": layout.content,
            "reason": layout.reason,
        }
        insert_rows(connection, LAYOUT, [row])
    return replace(layout, number=position, recorded=recorded)


def read_layouts(connection: Connection) -> list[SharedLayout]:
    """Every file that was recorded, newest first.

    Raises ``IntegrityError`` (``changed-layout``) unless they are what was recorded.
    """
    verify_layouts(connection, STORE_CHAIN)
    rows = connection.execute(
        select(LAYOUT, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DEED, DEED.c.position == LAYOUT.c.position)
        .order_by(LAYOUT.c.position.desc())
    )
    return [
        SharedLayout(
            number=row.position,
            name=row.name,
            content=row.content,
            reason=row.reason,
            recorded=ChangeStamp(row.recorded_at, row.actor, row.host),
        )
        for row in rows
    ]
