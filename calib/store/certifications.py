"""Certifications and withdrawals: somebody's word, and the word taken back. Only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, or_, select
from sqlalchemy import Row as SqlRow

from calib.errors import InputError, NotFoundError
from calib.model.record import Certification, Deed
from calib.model.validity import DistanceRange, Validity
from calib.store.log import recording
from calib.store.tables import CALIBRATION, CERTIFICATION, DEED, DETECTOR, WITHDRAWAL

_TAKEN_BACK = DEED.alias("taken_back")


def add_certification(connection: Connection, certification: Certification) -> Certification:
    """Record a certification; as it was recorded, with its number and time.

    Raises ``NotFoundError`` where the store does not hold the calibration, and ``InputError``
    where the certification contradicts it, gives no reason, or stands for a calibration that
    failed acceptance without an override.
    """
    head = connection.execute(
        select(CALIBRATION, DETECTOR.c.serial)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .where(CALIBRATION.c.id == certification.calibration_id)
    ).first()
    if head is None:
        raise NotFoundError(
            "unknown-calibration",
            f"the store holds no calibration {certification.calibration_id[:12]}.",
            remedy="calib list.",
        )
    name = f"{head.serial}:{head.version}"
    if (certification.serial, certification.version) != (head.serial, head.version):
        raise InputError(
            "serial-contradicts",
            f"calibration {head.id[:12]} is {name} here, "
            f"not {certification.serial}:{certification.version}.",
        )
    if certification.number != 0 or certification.withdrawn is not None:
        raise InputError("already-recorded", f"certification {certification.number} is recorded.")
    if not certification.reason.strip():
        raise InputError("no-reason", "a certification needs a reason.", remedy="--reason TEXT.")
    if not head.accepted and not certification.override.strip():
        raise InputError(
            "not-accepted",
            f"{name} failed acceptance and is a draft.",
            remedy='derive again from better data, or --override "REASON" to stand for it all the '
            "same.",
        )
    with recording(
        connection,
        certification.recorded,
        "certification",
        head.serial,
        (CERTIFICATION,),
        certification.reason,
    ) as (position, recorded):
        connection.execute(
            insert(CERTIFICATION).values(
                position=position,
                calibration=head.position,
                detector=head.detector,
                valid_from=certification.validity.start,
                valid_to=certification.validity.end,
                distance_min_mm=certification.distances.minimum_mm,
                distance_max_mm=certification.distances.maximum_mm,
                gap_mm=None,
                reason=certification.reason,
                override_reason=certification.override,
            )
        )
    return replace(certification, number=position, recorded=recorded)


def add_withdrawals(
    connection: Connection, which: str | int, reason: str, deed: Deed
) -> list[Certification]:
    """Take back one certification (by number) or all of one calibration's (by its id).

    Returns them as they are now, newest first. Raises ``NotFoundError`` where none is live.
    """
    if not reason.strip():
        raise InputError("no-reason", "a withdrawal needs a reason.", remedy="--reason TEXT.")
    if isinstance(which, int):
        chosen, called = CERTIFICATION.c.position == which, f"certification {which}"
    else:
        chosen, called = CALIBRATION.c.id == which, f"calibration {which[:12]}"
    found = read_certifications(connection, chosen)
    live = [certification for certification in found if certification.withdrawn is None]
    if not live:
        problem = "is withdrawn already" if found else "is not certified"
        raise NotFoundError(
            "not-certified", f"{called} {problem}.", remedy="calib show lists the certifications."
        )
    with recording(connection, deed, "withdrawal", live[0].serial, (WITHDRAWAL,), reason) as (
        position,
        recorded,
    ):
        connection.execute(
            insert(WITHDRAWAL),
            [{"certification": one.number, "position": position, "reason": reason} for one in live],
        )
    return [replace(one, withdrawn=recorded, withdrawn_reason=reason) for one in live]


def read_certifications(connection: Connection, which: ColumnElement[bool]) -> list[Certification]:
    """The certifications that fit, withdrawn ones as well, newest first."""
    rows = connection.execute(_certifications().where(which)).all()
    return [_certification(row) for row in rows]


def of_detector(detector: int) -> ColumnElement[bool]:
    """The certifications of the detector at that position."""
    return CERTIFICATION.c.detector == detector


def live() -> ColumnElement[bool]:
    """The certifications that are not withdrawn."""
    return WITHDRAWAL.c.certification.is_(None)


def covering(at: datetime, distance_mm: float) -> ColumnElement[bool]:
    """The certifications that answer this instant and distance."""
    row = CERTIFICATION.c
    return (
        (row.valid_from <= at)
        & or_(row.valid_to.is_(None), row.valid_to > at)
        & (row.distance_min_mm <= distance_mm)
        & (row.distance_max_mm > distance_mm)
    )


def latest(connection: Connection, which: Sequence[ColumnElement[bool]]) -> Certification | None:
    """The certification recorded last among those that fit."""
    row = connection.execute(_certifications().where(*which).limit(1)).first()
    return None if row is None else _certification(row)


def _certifications() -> Select[Any]:
    return (
        select(
            CERTIFICATION,
            CALIBRATION.c.id.label("calibration_id"),
            CALIBRATION.c.version,
            DETECTOR.c.serial,
            DEED.c.recorded_at,
            DEED.c.actor,
            DEED.c.host,
            WITHDRAWAL.c.reason.label("withdrawn_reason"),
            _TAKEN_BACK.c.recorded_at.label("withdrawn_at"),
            _TAKEN_BACK.c.actor.label("withdrawn_by"),
            _TAKEN_BACK.c.host.label("withdrawn_host"),
        )
        .join(CALIBRATION, CALIBRATION.c.position == CERTIFICATION.c.calibration)
        .join(DETECTOR, DETECTOR.c.position == CERTIFICATION.c.detector)
        .join(DEED, DEED.c.position == CERTIFICATION.c.position)
        .outerjoin(WITHDRAWAL, WITHDRAWAL.c.certification == CERTIFICATION.c.position)
        .outerjoin(_TAKEN_BACK, _TAKEN_BACK.c.position == WITHDRAWAL.c.position)
        .order_by(CERTIFICATION.c.position.desc())
    )


def _certification(row: SqlRow[Any]) -> Certification:
    withdrawn = None
    if row.withdrawn_at is not None:
        withdrawn = Deed(row.withdrawn_at, row.withdrawn_by, row.withdrawn_host)
    return Certification(
        number=row.position,
        calibration_id=row.calibration_id,
        serial=row.serial,
        version=row.version,
        validity=Validity(row.valid_from, row.valid_to),
        distances=DistanceRange(row.distance_min_mm, row.distance_max_mm),
        reason=row.reason,
        override=row.override_reason,
        recorded=Deed(row.recorded_at, row.actor, row.host),
        withdrawn=withdrawn,
        withdrawn_reason=row.withdrawn_reason or "",
    )
