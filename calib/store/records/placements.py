"""Placements of detectors at beamlines: rows to model values and back."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from calib.errors import InputError
from calib.model.store.log import LATEST
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import ChangeStamp
from calib.store.log.log import recording
from calib.store.log.verification import verify_placements
from calib.store.log.written import insert_rows
from calib.store.records.detectors import detector_position
from calib.store.schema.tables import DEED, DETECTOR, PLACEMENT


def add_placement(
    connection: Connection, placement: BeamlinePlacement, stamp: ChangeStamp
) -> BeamlinePlacement:
    """Record a placement; returns it with its number and time."""
    if placement.number != 0:
        raise InputError("already-recorded", f"placement {placement.number} is recorded already.")
    detector = detector_position(connection, placement.serial)
    with recording(connection, stamp, "placement", placement.serial, placement.reason) as (
        position,
        recorded,
    ):
        insert_rows(
            connection,
            PLACEMENT,
            [
                {
                    "position": position,
                    "detector": detector,
                    "beamline": placement.beamline,
                    "placed_from": placement.start,
                    "reason": placement.reason,
                }
            ],
        )
    return replace(placement, number=position, recorded=recorded)


def read_placements(
    connection: Connection, serial: str, known_at: int = LATEST
) -> list[BeamlinePlacement]:
    """The placements of a detector, newest first, as known at a log position.

    Raises ``IntegrityError`` (``changed-placement``) unless they are what was recorded.
    """
    detector = detector_position(connection, serial)
    verify_placements(connection, detector, serial)
    rows = connection.execute(
        select(PLACEMENT, DETECTOR.c.serial, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DETECTOR, DETECTOR.c.position == PLACEMENT.c.detector)
        .join(DEED, DEED.c.position == PLACEMENT.c.position)
        .where(PLACEMENT.c.detector == detector, PLACEMENT.c.position <= known_at)
        .order_by(PLACEMENT.c.position.desc())
    )
    return [
        BeamlinePlacement(
            number=row.position,
            serial=row.serial,
            beamline=row.beamline,
            start=row.placed_from,
            reason=row.reason,
            recorded=ChangeStamp(row.recorded_at, row.actor, row.host),
        )
        for row in rows
    ]
