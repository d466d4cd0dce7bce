"""Certifications and withdrawals: rows to model values and back. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, true
from sqlalchemy import Row as SqlRow

from calib.errors import InputError, NotFoundError
from calib.model.store.certification_rules import (
    Change,
    changes_by_certifying,
    is_succession,
    refuse_same,
)
from calib.model.store.log import LATEST
from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.validity import DistanceRange, Validity, shown_instant
from calib.store.log.log import recording
from calib.store.log.written import insert_rows
from calib.store.records.relabellings import refuse_relabelled
from calib.store.schema.tables import CALIBRATION, CERTIFICATION, DEED, DETECTOR, WITHDRAWAL

_PAGE = 8
_WITHDRAWAL_STAMP = DEED.alias("withdrawal_stamp")
MOST_SHOWN = 5
"""How many regions are named when a certification is refused."""


def add_certification(
    connection: Connection, certification: Certification, *, supersede: bool = False
) -> Certification:
    """Record a certification; returns it with its number and time.

    Raises ``NotFoundError`` if the calibration is not in the store, and ``InputError`` if the
    certification contradicts it, gives no reason, lacks an override for a calibration that failed
    acceptance, is recorded already and in force everywhere (``certified-already``), or would
    replace others (``overlap``) without ``supersede``.
    """
    calibration = _certifiable(connection, certification)
    changes = changes_with(connection, calibration.detector, certification)
    if not changes:
        mine = CERTIFICATION.c.calibration == calibration.position
        refuse_same(certification, _newest_first(connection, mine & live()))
    if not supersede:
        refuse_overlap(certification, changes)
    with recording(
        connection,
        certification.recorded,
        "certification",
        calibration.serial,
        certification.reason,
    ) as (position, recorded):
        insert_rows(
            connection,
            CERTIFICATION,
            [
                {
                    "position": position,
                    "calibration": calibration.position,
                    "detector": calibration.detector,
                    "valid_from": certification.validity.start,
                    "valid_to": certification.validity.end,
                    "distance_min_mm": certification.distances.minimum_mm,
                    "distance_max_mm": certification.distances.maximum_mm,
                    "gap_mm": certification.gap_mm,
                    "reason": certification.reason,
                    "override_reason": certification.override,
                }
            ],
        )
    return replace(certification, number=position, recorded=recorded)


def changes_with(
    connection: Connection, detector: int, certification: Certification
) -> list[Change]:
    """The regions in which recording a certification would change the answer."""
    near = overlapping(certification.validity, certification.distances)
    others = _newest_first(connection, of_detector(detector) & live() & near)
    return changes_by_certifying(certification, others)


def refuse_overlap(certification: Certification, changes: Sequence[Change]) -> None:
    """Raise ``InputError``, naming the regions, if a certification would replace others other than
    by succeeding them."""
    replaced = [change for change in changes if not is_succession(change)]
    if not replaced:
        return
    shown = "; ".join(_replaced(change) for change in replaced[:MOST_SHOWN])
    more = len(replaced) - MOST_SHOWN
    raise InputError(
        "overlap",
        f"{certification.serial}:{certification.version} would replace certifications in force: "
        + shown
        + (f"; and {more} more." if more > 0 else "."),
        remedy="use --supersede to confirm (--dry-run shows all changes), or choose other times or "
        "distances.",
    )


def add_withdrawals(
    connection: Connection, which: str | int, reason: str, stamp: ChangeStamp
) -> list[Certification]:
    """Withdraw one certification (by number) or all those of a calibration (by its id).

    Returns them as withdrawn, newest first. Raises ``NotFoundError`` if none is in force.
    """
    if not reason.strip():
        raise InputError("no-reason", "a withdrawal needs a reason.", remedy="--reason TEXT.")
    live_ones = to_withdraw(connection, which)
    with recording(connection, stamp, "withdrawal", live_ones[0].serial, reason) as (
        position,
        recorded,
    ):
        insert_rows(
            connection,
            WITHDRAWAL,
            [
                {"certification": one.number, "position": position, "reason": reason}
                for one in live_ones
            ],
        )
    return [replace(one, withdrawn=recorded, withdrawn_reason=reason) for one in live_ones]


def withdraw_all(
    connection: Connection, calibration_id: str, reason: str, stamp: ChangeStamp
) -> list[Certification]:
    """Withdraw all certifications of a calibration; returns them, none if none is in force."""
    mine = (CALIBRATION.c.id == calibration_id) & live()
    if next(_newest_first(connection, mine), None) is None:
        return []
    return add_withdrawals(connection, calibration_id, reason, stamp)


def to_withdraw(connection: Connection, which: str | int) -> list[Certification]:
    """The certifications in force of that number or calibration id, newest first.

    Raises ``NotFoundError`` (``not-certified``) if there is none.
    """
    if isinstance(which, int):
        chosen, called = CERTIFICATION.c.position == which, f"certification {which}"
    else:
        chosen, called = CALIBRATION.c.id == which, f"calibration {which[:12]}"
    found = read_certifications(connection, chosen)
    in_force = [certification for certification in found if certification.withdrawn is None]
    if not in_force:
        missing = "does not exist" if isinstance(which, int) else "is not certified"
        problem = "is withdrawn already" if found else missing
        raise NotFoundError(
            "not-certified",
            f"{called} {problem}.",
            remedy="calib show lists the certifications of a calibration."
            if found or isinstance(which, int)
            else "calib list shows the state of each calibration.",
        )
    return in_force


def read_certifications(
    connection: Connection, which: ColumnElement[bool], known_at: int = LATEST
) -> list[Certification]:
    """The certifications that match ``which``, withdrawn ones included, newest first, as known at a
    log position."""
    rows = connection.execute(_CERTIFICATIONS.where(which), {"known_at": known_at}).all()
    return [_certification(row) for row in rows]


def _newest_first(connection: Connection, which: ColumnElement[bool]) -> Iterator[Certification]:
    """Read certifications page by page: the answer is usually among the newest."""
    before = LATEST
    while True:
        older = _CERTIFICATIONS.where(which, CERTIFICATION.c.position < before).limit(_PAGE)
        page = connection.execute(older, {"known_at": LATEST}).all()
        yield from (_certification(row) for row in page)
        if len(page) < _PAGE:
            return
        before = page[-1].position


def of_detector(detector: int) -> ColumnElement[bool]:
    """Condition: the certification is of the detector at that log position."""
    return CERTIFICATION.c.detector == detector


def live() -> ColumnElement[bool]:
    """Condition: the certification is not withdrawn."""
    return WITHDRAWAL.c.certification.is_(None)


def overlapping(validity: Validity, distances: DistanceRange) -> ColumnElement[bool]:
    """Condition: the certification overlaps these times and distances."""
    row = CERTIFICATION.c
    before = row.valid_from < validity.end if validity.end is not None else true()
    return (
        before
        & or_(row.valid_to.is_(None), row.valid_to > validity.start)
        & (row.distance_min_mm < distances.maximum_mm)
        & (row.distance_max_mm > distances.minimum_mm)
    )


_CERTIFICATIONS = (
    select(
        CERTIFICATION,
        CALIBRATION.c.id.label("calibration_id"),
        CALIBRATION.c.version,
        DETECTOR.c.serial,
        DEED.c.recorded_at,
        DEED.c.actor,
        DEED.c.host,
        WITHDRAWAL.c.reason.label("withdrawn_reason"),
        _WITHDRAWAL_STAMP.c.recorded_at.label("withdrawn_at"),
        _WITHDRAWAL_STAMP.c.actor.label("withdrawn_by"),
        _WITHDRAWAL_STAMP.c.host.label("withdrawn_host"),
    )
    .join(CALIBRATION, CALIBRATION.c.position == CERTIFICATION.c.calibration)
    .join(DETECTOR, DETECTOR.c.position == CERTIFICATION.c.detector)
    .join(DEED, DEED.c.position == CERTIFICATION.c.position)
    .outerjoin(
        WITHDRAWAL,
        (WITHDRAWAL.c.certification == CERTIFICATION.c.position)
        & (WITHDRAWAL.c.position <= bindparam("known_at")),
    )
    .outerjoin(_WITHDRAWAL_STAMP, _WITHDRAWAL_STAMP.c.position == WITHDRAWAL.c.position)
    .where(CERTIFICATION.c.position <= bindparam("known_at"))
    .order_by(CERTIFICATION.c.position.desc())
)


def _certifiable(connection: Connection, certification: Certification) -> Any:
    """The row of the calibration, after checking that it may be certified so."""
    row = connection.execute(
        select(
            CALIBRATION.c.position,
            CALIBRATION.c.id,
            CALIBRATION.c.detector,
            CALIBRATION.c.version,
            CALIBRATION.c.accepted,
            DETECTOR.c.serial,
        )
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .where(CALIBRATION.c.id == certification.calibration_id)
    ).first()
    if row is None:
        raise NotFoundError(
            "unknown-calibration",
            f"calibration {certification.calibration_id[:12]} is not in the store.",
            remedy="calib list.",
        )
    name = f"{row.serial}:{row.version}"
    if (certification.serial, certification.version) != (row.serial, row.version):
        raise InputError(
            "serial-contradicts",
            f"calibration {row.id[:12]} is {name} here, "
            f"not {certification.serial}:{certification.version}.",
        )
    refuse_relabelled(connection, row.position, name)
    if certification.number != 0 or certification.withdrawn is not None:
        raise InputError(
            "already-recorded", f"certification {certification.number} is recorded already."
        )
    if not certification.reason.strip():
        raise InputError("no-reason", "a certification needs a reason.", remedy="--reason TEXT.")
    if not row.accepted and not certification.override.strip():
        raise InputError(
            "not-accepted",
            f"{name} failed acceptance and is a draft.",
            remedy='derive again from better data; --override "REASON" certifies it nevertheless.',
        )
    return row


def _replaced(change: Change) -> str:
    assert change.before is not None  # noqa: S101 - the change replaces an answer
    before, region = change.before, change.region
    end = "on" if region.validity.end is None else f"to {shown_instant(region.validity.end)}"
    return (
        f"{before.serial}:{before.version} (certification {before.number}) from "
        f"{shown_instant(region.validity.start)} {end}, {region.distances.minimum_mm:.6g} to "
        f"{region.distances.maximum_mm:.6g} mm"
    )


def _certification(row: SqlRow[Any]) -> Certification:
    withdrawn = None
    if row.withdrawn_at is not None:
        withdrawn = ChangeStamp(row.withdrawn_at, row.withdrawn_by, row.withdrawn_host)
    return Certification(
        number=row.position,
        calibration_id=row.calibration_id,
        serial=row.serial,
        version=row.version,
        validity=Validity(row.valid_from, row.valid_to),
        distances=DistanceRange(row.distance_min_mm, row.distance_max_mm),
        reason=row.reason,
        override=row.override_reason,
        recorded=ChangeStamp(row.recorded_at, row.actor, row.host),
        withdrawn=withdrawn,
        withdrawn_reason=row.withdrawn_reason or "",
        gap_mm=row.gap_mm or 0.0,
    )
