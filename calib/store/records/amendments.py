"""Changes and retirements of detectors: rows to model values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from calib.errors import InputError
from calib.model.store.amendment import DetectorEdit, Retirement, edited
from calib.model.store.log import LATEST
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.database.raw_sql import SqlStatement
from calib.store.log.log import recording
from calib.store.log.verification import verify_edits, verify_retirements
from calib.store.log.written import insert_rows
from calib.store.records.detectors import EDIT, detector_position
from calib.store.schema.tables import DEED, DETECTOR, DETECTOR_EDIT, RETIREMENT

_NO_RETIREMENT = SqlStatement(
    "SELECT (SELECT count(*) FROM retirement WHERE detector = t.position), "
    "(SELECT count(*) FROM entry WHERE chain = t.serial AND kind = 'retirement') "
    "FROM detector t WHERE t.serial = :serial"
)
"""Whether there are neither rows nor entries of retirements; no row for an unknown detector."""


def add_edit(connection: Connection, edit: DetectorEdit, stamp: ChangeStamp) -> DetectorEdit:
    """Record a change of a detector; returns it with its number and time."""
    values = {
        "holds_from": edit.start,
        "time_zone": edit.time_zone,
        "description": edit.description,
        "layout_name": edit.layout_name,
        "reason": edit.reason,
    }
    position, recorded = _add(connection, DETECTOR_EDIT, edit, EDIT, values, stamp)
    return replace(edit, number=position, recorded=recorded)


def add_retirement(
    connection: Connection, retirement: Retirement, stamp: ChangeStamp
) -> Retirement:
    """Record that a detector is retired, or in use again; returns it with its number and time."""
    values = {"retired_from": retirement.start, "reason": retirement.reason}
    position, recorded = _add(connection, RETIREMENT, retirement, "retirement", values, stamp)
    return replace(retirement, number=position, recorded=recorded)


def _add(
    connection: Connection,
    table: Table,
    one: DetectorEdit | Retirement,
    kind: str,
    values: Mapping[str, Any],
    stamp: ChangeStamp,
) -> tuple[int, ChangeStamp]:
    if one.number != 0:
        raise InputError("already-recorded", f"change {one.number} is recorded already.")
    detector = detector_position(connection, one.serial)
    with recording(connection, stamp, kind, one.serial, one.reason) as (position, recorded):
        insert_rows(connection, table, [{"position": position, "detector": detector, **values}])
    return position, recorded


def read_edits(connection: Connection, serial: str, known_at: int = LATEST) -> list[DetectorEdit]:
    """The changes of a detector, newest first, as known at a log position.

    Raises ``IntegrityError`` (``changed-detector-edit``) unless they are what was recorded.
    """
    detector = detector_position(connection, serial)
    verify_edits(connection, detector, serial)
    return edits_of(connection, detector, known_at)


def with_edits(connection: Connection, record: DetectorRecord, changed: bool) -> DetectorRecord:
    """A detector as registered, with its changes where there are any."""
    return edited(record, read_edits(connection, record.serial)) if changed else record


def edits_of(connection: Connection, detector: int, known_at: int = LATEST) -> list[DetectorEdit]:
    """The same of the detector at a log position, not verified."""
    return [_edit(row) for row in _rows(connection, DETECTOR_EDIT, detector, known_at)]


def read_retirements(
    connection: Connection, serial: str, known_at: int = LATEST
) -> list[Retirement]:
    """The retirements of a detector, and its returns to use, newest first, as known at a log
    position.

    Raises ``IntegrityError`` (``changed-retirement``) unless they are what was recorded.
    """
    if _NO_RETIREMENT.rows(connection, serial=serial) == [(0, 0)]:
        return []  # asked for each file that is processed
    detector = detector_position(connection, serial)
    verify_retirements(connection, detector, serial)
    return [
        Retirement(row.position, row.serial, row.retired_from, row.reason, _stamp(row))
        for row in _rows(connection, RETIREMENT, detector, known_at)
    ]


def _rows(connection: Connection, table: Table, detector: int, known_at: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(table, DETECTOR.c.serial, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DETECTOR, DETECTOR.c.position == table.c.detector)
        .join(DEED, DEED.c.position == table.c.position)
        .where(table.c.detector == detector, table.c.position <= known_at)
        .order_by(table.c.position.desc())
    ).all()


def _edit(row: Row[Any]) -> DetectorEdit:
    return DetectorEdit(
        number=row.position,
        serial=row.serial,
        start=row.holds_from,
        time_zone=row.time_zone,
        description=row.description,
        layout_name=row.layout_name,
        reason=row.reason,
        recorded=_stamp(row),
    )


def _stamp(row: Row[Any]) -> ChangeStamp:
    return ChangeStamp(row.recorded_at, row.actor, row.host)
