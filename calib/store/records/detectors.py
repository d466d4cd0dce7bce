"""Detectors: rows to model values and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, bindparam, select, text

from calib.errors import IntegrityError, LayoutError, NotFoundError
from calib.model.detector.layout import Layout
from calib.model.store.record import DetectorRecord
from calib.store.log.verification import verify_registration
from calib.store.log.written import insert_rows
from calib.store.schema.columns import Instant, Text
from calib.store.schema.tables import DETECTOR

EDIT = "detector-edit"
"""The kind of the entries of changes of a detector."""
SAME_FRAME_MM = 1e-6
"""Panels with all corners closer than this to the registered corners are at the same place."""
# As text, which is not compiled: a look-up reads its detector for each file that is processed.
_REGISTERED = (
    f"SELECT {', '.join(f't.{column.name}' for column in DETECTOR.columns)}, "  # noqa: S608
    "e.chain, e.ordinal, e.kind, e.command, e.reason, e.contents, e.salt, e.previous, e.hash, "
    "d.recorded_at, d.actor, d.host, "
    "(SELECT count(*) FROM detector_edit WHERE detector = t.position) AS n_edits, "
    f"(SELECT count(*) FROM entry WHERE chain = t.serial AND kind = '{EDIT}') AS n_logged "
    "FROM detector t LEFT JOIN entry e ON e.position = t.position "
    "LEFT JOIN deed d ON d.position = t.position"
)
_REGISTRATIONS = text(_REGISTERED).columns(recorded_at=Instant)
"""Detectors with their entries in the log, and the number of their changes in both."""
_REGISTRATION = (
    text(f"{_REGISTERED} WHERE t.serial = :serial")
    .bindparams(bindparam("serial", type_=Text))
    .columns(recorded_at=Instant)
)
"""The same of one detector."""


def insert_detector(connection: Connection, position: int, record: DetectorRecord) -> None:
    """Insert a new detector."""
    insert_rows(
        connection,
        DETECTOR,
        [
            {
                "position": position,
                "serial": record.serial,
                "layout": json.dumps(record.layout.content()),
                "layout_id": record.layout_id,
                "time_zone": record.time_zone,
                "description": record.description,
            }
        ],
    )


def find_detector(connection: Connection, serial: str) -> tuple[int, DetectorRecord] | None:
    """The detector with its log position; None if it is not in the store."""
    row = connection.execute(select(DETECTOR).where(DETECTOR.c.serial == serial)).first()
    return None if row is None else (row.position, _record(row))


def read_detector(connection: Connection, serial: str) -> tuple[int, DetectorRecord]:
    """The detector with its log position.

    Raises ``NotFoundError``, listing the detectors in the store.
    """
    found = find_detector(connection, serial)
    if found is None:
        raise unknown_detector(connection, serial)
    return found


def detector_position(connection: Connection, serial: str) -> int:
    """The detector's log position; raises ``NotFoundError`` as ``read_detector`` does."""
    found = connection.execute(
        select(DETECTOR.c.position).where(DETECTOR.c.serial == serial)
    ).scalar()
    if found is None:
        raise unknown_detector(connection, serial)
    return int(found)


def read_registered(connection: Connection, serial: str) -> tuple[DetectorRecord, bool]:
    """The detector as registered, verified against the log, and whether it was changed since.

    Raises what ``read_detector`` raises, and ``IntegrityError`` (``changed-detector``).
    """
    row = connection.execute(_REGISTRATION, {"serial": serial}).first()
    if row is None:
        raise unknown_detector(connection, serial)
    return _verified(row)


def read_all_registered(connection: Connection) -> list[tuple[DetectorRecord, bool]]:
    """The same of all detectors, by serial."""
    rows = connection.execute(_REGISTRATIONS).all()
    return sorted((_verified(row) for row in rows), key=lambda one: one[0].serial)


def _verified(row: Row[Any]) -> tuple[DetectorRecord, bool]:
    record = _record(row)
    verify_registration(row, tuple(row[: len(DETECTOR.columns)]))
    return record, row.n_edits > 0 or row.n_logged > 0


def serials(connection: Connection) -> list[str]:
    """The serials of all detectors, sorted."""
    return sorted(connection.execute(select(DETECTOR.c.serial)).scalars())


def unknown_detector(connection: Connection, serial: str) -> NotFoundError:
    """The error for a detector that is not in the store, listing those that are."""
    known = serials(connection)
    listed = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    return NotFoundError(
        "unknown-detector",
        f"detector {serial} is not in the store, which has "
        + (f"{listed}." if known else "no detector yet."),
        remedy="check the serial number, or register the detector with calib detector add.",
    )


def check_same(known: DetectorRecord, other: DetectorRecord) -> None:
    """Raise ``LayoutError``, naming the difference, if the layouts of one serial differ."""
    if known.layout_id == other.layout_id:
        return
    differs = known.layout.difference(other.layout.panels)
    if not differs:
        apart = np.linalg.norm(_corners(other.layout) - _corners(known.layout), axis=-1).max(axis=1)
        panel = int(apart.argmax())
        if apart[panel] <= SAME_FRAME_MM:
            return
        differs = (
            f"panel {panel} is {apart[panel]:.6g} mm from its registered place "
            "relative to the detector's root frame"
        )
    raise LayoutError(
        "other-layout",
        f"detector {known.serial} is registered with another layout: {differs}.",
        remedy="check the serial (--serial); a rebuilt detector needs a new serial.",
    )


def _corners(layout: Layout) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return layout.frames.points(layout.corners_panel_mm())


def _record(row: Row[Any]) -> DetectorRecord:
    layout = Layout.from_content(json.loads(row.layout))
    record = DetectorRecord(row.serial, layout, row.time_zone, row.description)
    if record.layout_id != row.layout_id:
        raise IntegrityError(
            "changed-detector",
            f"the layout of detector {row.serial} was changed after it was registered.",
            remedy="restore the store from a backup.",
        )
    return record
