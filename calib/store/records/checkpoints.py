"""Signed checkpoints of other stores: rows to model values and back."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from calib.model.store.log import STORE_CHAIN
from calib.model.store.record import ChangeStamp
from calib.model.store.signing import RecordedCheckpoint
from calib.store.log.log import recording
from calib.store.log.verification import verify_checkpoints
from calib.store.log.written import insert_rows
from calib.store.schema.tables import ANCHORED_CHECKPOINT, DEED


def add_checkpoint(
    connection: Connection, checkpoint: RecordedCheckpoint, stamp: ChangeStamp
) -> RecordedCheckpoint:
    """Record a checkpoint of another store; returns it with its number and time."""
    with recording(connection, stamp, "checkpoint", STORE_CHAIN) as (position, recorded):
        row = {
            "position": position,
            "public_key": checkpoint.public_key,
            "made_at": checkpoint.made_at,
            "last_position": checkpoint.last_position,
            "content": checkpoint.content,
        }
        insert_rows(connection, ANCHORED_CHECKPOINT, [row])
    return replace(checkpoint, number=position, recorded=recorded)


def read_checkpoints(connection: Connection) -> list[RecordedCheckpoint]:
    """The checkpoints of other stores, in the order of recording.

    Raises ``IntegrityError`` (``changed-checkpoint``) unless they are what was recorded.
    """
    verify_checkpoints(connection, STORE_CHAIN)
    rows = connection.execute(
        select(ANCHORED_CHECKPOINT, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DEED, DEED.c.position == ANCHORED_CHECKPOINT.c.position)
        .order_by(ANCHORED_CHECKPOINT.c.position)
    )
    return [
        RecordedCheckpoint(
            number=row.position,
            public_key=row.public_key,
            made_at=row.made_at,
            last_position=row.last_position,
            content=row.content,
            recorded=ChangeStamp(row.recorded_at, row.actor, row.host),
        )
        for row in rows
    ]
