"""Calibrations that were recorded again under the right serial: rows to model values and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from calib.errors import InputError, NotFoundError
from calib.model.store.amendment import Relabelling
from calib.model.store.log import LATEST
from calib.model.store.record import ChangeStamp
from calib.store.log.log import recording
from calib.store.log.verification import verify_relabellings
from calib.store.log.written import insert_rows
from calib.store.records.detectors import detector_position
from calib.store.schema.tables import CALIBRATION, DEED, DETECTOR, RELABELLING


def add_relabelling(
    connection: Connection, relabelling: Relabelling, stamp: ChangeStamp
) -> Relabelling:
    """Record which calibration replaces one with a wrong serial; returns it with its number."""
    found = connection.execute(
        select(CALIBRATION.c.position, CALIBRATION.c.version, DETECTOR.c.serial)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .where(CALIBRATION.c.id == relabelling.calibration_id)
    ).first()
    if found is None:
        raise NotFoundError(
            "unknown-calibration",
            f"calibration {relabelling.calibration_id[:12]} is not in the store.",
            remedy="calib list.",
        )
    refuse_relabelled(connection, found.position, f"{found.serial}:{found.version}")
    with recording(connection, stamp, "relabelling", found.serial, relabelling.reason) as (
        position,
        recorded,
    ):
        row = {
            "position": position,
            "calibration": found.position,
            "replacement": relabelling.replacement_id,
            "serial": relabelling.serial,
            "reason": relabelling.reason,
        }
        insert_rows(connection, RELABELLING, [row])
    return replace(relabelling, number=position, recorded=recorded)


def refuse_relabelled(connection: Connection, calibration: int, name: str) -> None:
    """Raise ``InputError`` (``relabelled``) if a calibration was recorded under another serial."""
    row = connection.execute(
        select(RELABELLING.c.serial, CALIBRATION.c.version)
        .outerjoin(CALIBRATION, CALIBRATION.c.id == RELABELLING.c.replacement)
        .where(RELABELLING.c.calibration == calibration)
    ).first()
    if row is None:
        return
    right = row.serial if row.version is None else f"{row.serial}:{row.version}"
    raise InputError(
        "relabelled",
        f"{name} has the wrong serial: it is recorded again as {right}.",
        remedy=f"use {right}.",
    )


def read_relabellings(
    connection: Connection, serial: str, known_at: int = LATEST
) -> list[Relabelling]:
    """The calibrations that were recorded under this serial by mistake, newest first, as known at a
    log position.

    Raises ``IntegrityError`` (``changed-relabelling``) unless they are what was recorded.
    """
    detector = detector_position(connection, serial)
    verify_relabellings(connection, detector, serial)
    rows: Sequence[Row[Any]] = connection.execute(
        select(
            RELABELLING,
            CALIBRATION.c.id,
            DEED.c.recorded_at,
            DEED.c.actor,
            DEED.c.host,
        )
        .join(CALIBRATION, CALIBRATION.c.position == RELABELLING.c.calibration)
        .join(DEED, DEED.c.position == RELABELLING.c.position)
        .where(CALIBRATION.c.detector == detector, RELABELLING.c.position <= known_at)
        .order_by(RELABELLING.c.position.desc())
    ).all()
    return [
        Relabelling(
            number=row.position,
            calibration_id=row.id,
            replacement_id=row.replacement,
            serial=row.serial,
            reason=row.reason,
            recorded=ChangeStamp(row.recorded_at, row.actor, row.host),
        )
        for row in rows
    ]
