"""The error where no calibration applies: the nearest certification, and a command that helps."""

from __future__ import annotations

import math
import shlex
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from calib.errors import NotFoundError
from calib.model.store.certification_rules import live
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, Validity, duration
from calib.model.store.validity import shown_instant as _iso
from calib.store.records.certifications import of_detector, read_certifications
from calib.store.schema.tables import CALIBRATION

_DAY = timedelta(days=1)


def no_match(
    connection: Connection,
    serial: str,
    detector: int,
    at: datetime,
    distance_mm: float,
    known_at: int,
) -> NotFoundError:
    """The error ``not-certified`` for a point, with the nearest certification and the command that
    would extend it, as of a position of the log."""
    certifications = read_certifications(connection, of_detector(detector), known_at)
    certified = live(certifications)
    if certified:
        return _none_covers(certified, at, distance_mm)
    return _never_certified(connection, serial, detector, at, known_at)


def _none_covers(certified: list[Certification], at: datetime, distance_mm: float) -> NotFoundError:
    def distance_to(one: Certification) -> tuple[bool, timedelta, float]:
        late, far = one.validity.gap_to(at), one.distances.gap_to(distance_mm)
        return bool(late) and far > 0.0, late, far

    nearest = min(certified, key=distance_to)  # of equally near ones the newest, which comes first
    _, late, far = distance_to(nearest)
    in_time, in_distance = not late, far == 0.0
    validity, distances = _free_part(
        certified,
        at,
        distance_mm,
        nearest.validity if in_time else _extended(nearest.validity, at),
        nearest.distances if in_distance else _widened(nearest.distances, distance_mm),
    )
    offsets = []
    if not in_time:
        offsets.append(f"{duration(late)} {'before' if at < nearest.validity.start else 'after'}")
    if not in_distance:
        offsets.append(f"{far:.6g} mm off")
    return NotFoundError(
        "not-certified",
        f"no calibration of detector {nearest.serial} is certified for {_iso(at)} at "
        f"{distance_mm:.6g} mm. Nearest: {_name(nearest)} is certified {_span(nearest.validity)}, "
        f"{nearest.distances.minimum_mm:.6g} to {nearest.distances.maximum_mm:.6g} mm "
        f"(the data are {' and '.join(offsets)}).",
        remedy=_command(_name(nearest), validity, distances),
    )


def _never_certified(
    connection: Connection, serial: str, detector: int, at: datetime, known_at: int
) -> NotFoundError:
    newest = connection.execute(
        select(CALIBRATION.c.version)
        .where(CALIBRATION.c.detector == detector, CALIBRATION.c.position <= known_at)
        .order_by(CALIBRATION.c.accepted.desc(), CALIBRATION.c.version.desc())
        .limit(1)
    ).scalar()
    if newest is None:
        return NotFoundError(
            "not-certified",
            f"detector {serial} has no calibration yet.",
            remedy=f"calib derive ... --serial {shlex.quote(serial)}.",
        )
    return NotFoundError(
        "not-certified",
        f"no calibration of detector {serial} is certified.",
        remedy=_command(f"{serial}:{newest}", Validity(_midnight(at), None), None),
    )


def _extended(validity: Validity, at: datetime) -> Validity:
    """The time between the interval and the day of the instant, including that day."""
    if at < validity.start:
        return Validity(_midnight(at), validity.start)
    return Validity(validity.end or validity.start, _midnight(at) + _DAY)


def _widened(distances: DistanceRange, distance_mm: float) -> DistanceRange:
    """The distances between the range and the distance, rounded outwards to whole mm."""
    below = max(0.0, float(math.floor(distance_mm)))
    if distance_mm < distances.minimum_mm:
        return DistanceRange(below, distances.minimum_mm)
    return DistanceRange(distances.maximum_mm, below + 1.0)


def _free_part(
    certified: list[Certification],
    at: datetime,
    distance_mm: float,
    validity: Validity,
    distances: DistanceRange,
) -> tuple[Validity, DistanceRange]:
    """The part of a rectangle around the point that no certification covers, so that certifying it
    changes nothing else."""
    for one in certified:
        if distance_mm not in one.distances:
            continue
        if one.validity.start > at:
            end = validity.end
            until = one.validity.start if end is None else min(end, one.validity.start)
            validity = Validity(validity.start, until)
        elif one.validity.end is not None:
            validity = Validity(max(validity.start, one.validity.end), validity.end)
    for one in certified:
        if not _overlap(one.validity, validity):
            continue
        if one.distances.minimum_mm > distance_mm:
            until_mm = min(distances.maximum_mm, one.distances.minimum_mm)
            distances = DistanceRange(distances.minimum_mm, until_mm)
        else:
            from_mm = max(distances.minimum_mm, one.distances.maximum_mm)
            distances = DistanceRange(from_mm, distances.maximum_mm)
    return validity, distances


def _overlap(one: Validity, other: Validity) -> bool:
    return (one.end is None or other.start < one.end) and (
        other.end is None or one.start < other.end
    )


def _command(name: str, validity: Validity, distances: DistanceRange | None) -> str:
    command = ["calib", "certify", shlex.quote(name), "--from", _iso(validity.start)]
    if validity.end is not None:
        command += ["--to", _iso(validity.end)]
    if distances is not None:
        command += ["--min-distance", repr(distances.minimum_mm)]
        command += ["--max-distance", repr(distances.maximum_mm)]
    return " ".join([*command, '--reason "..."'])


def _name(certification: Certification) -> str:
    return f"{certification.serial}:{certification.version}"


def _midnight(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def _span(validity: Validity) -> str:
    if validity.end is None:
        return f"from {_iso(validity.start)} on"
    return f"from {_iso(validity.start)} to {_iso(validity.end)}"
