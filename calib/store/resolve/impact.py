"""What a certification or withdrawal changes: a preview before it is recorded, or the record of it
afterwards, since every earlier state can be read as of a position of the log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, true

from calib.errors import NotFoundError
from calib.model.store.certification_rules import (
    Change,
    Consequences,
    changes_by_certifying,
    changes_by_withdrawing,
    live,
)
from calib.model.store.log import LATEST
from calib.model.store.record import Certification
from calib.store.records.certifications import of_detector, read_certifications, to_withdraw
from calib.store.records.detectors import detector_position
from calib.store.schema.tables import APPLICATION, CALIBRATION, CERTIFICATION, WITHDRAWAL


def of_certifying(connection: Connection, new: Certification) -> Consequences:
    """What a new certification would change."""
    detector = detector_position(connection, new.serial)
    certified = live(read_certifications(connection, of_detector(detector)))
    return _consequences(connection, changes_by_certifying(new, certified), LATEST)


def of_withdrawing(
    connection: Connection, which: str | int
) -> tuple[list[Certification], Consequences]:
    """What would be withdrawn, and what that would change."""
    withdrawn = to_withdraw(connection, which)
    detector = detector_position(connection, withdrawn[0].serial)
    certified = live(read_certifications(connection, of_detector(detector)))
    numbers = [one.number for one in withdrawn]
    return withdrawn, _consequences(connection, changes_by_withdrawing(numbers, certified), LATEST)


def of_position(connection: Connection, position: int) -> Consequences:
    """What the certification or withdrawal at a position of the log changed; ``NotFoundError``
    where there is none."""
    recorded = read_certifications(connection, CERTIFICATION.c.position == position)
    rows = connection.execute(
        select(WITHDRAWAL.c.certification).where(WITHDRAWAL.c.position == position)
    ).scalars()
    numbers = list(rows)
    if not recorded and not numbers:
        raise NotFoundError(
            "no-assertion",
            f"position {position} of the log is neither a certification nor a withdrawal.",
            remedy="calib audit log.",
        )
    named = recorded[0] if recorded else _by_number(connection, numbers[0])
    detector = detector_position(connection, named.serial)
    before = live(read_certifications(connection, of_detector(detector), position - 1))
    if recorded:
        changes = changes_by_certifying(named, before)
    else:
        changes = changes_by_withdrawing(numbers, before)
    return _consequences(connection, changes, position)


def _by_number(connection: Connection, number: int) -> Certification:
    return read_certifications(connection, CERTIFICATION.c.position == number)[0]


def _consequences(connection: Connection, changes: Sequence[Change], known_at: int) -> Consequences:
    affected = sum(_applied_at(connection, change, known_at) for change in changes)
    return Consequences(tuple(changes), affected)


def _applied_at(connection: Connection, change: Change, known_at: int) -> int:
    """The number of applications in the region of the calibration that resolved there before."""
    if change.before is None:
        return 0
    validity, distances = change.region.validity, change.region.distances
    row = APPLICATION.c
    found = connection.execute(
        select(func.count())
        .select_from(APPLICATION)
        .join(CALIBRATION, CALIBRATION.c.position == row.calibration)
        .where(
            CALIBRATION.c.id == change.before.calibration_id,
            row.position <= known_at,
            row.data_time >= validity.start,
            true() if validity.end is None else row.data_time < validity.end,
            row.distance_mm >= distances.minimum_mm,
            row.distance_mm < distances.maximum_mm,
        )
    ).scalar()
    return int(found or 0)
