"""The error where no calibration applies: the nearest certification, and a command that helps."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from calib.errors import NotFoundError
from calib.model.detector.correction import PanelStatus
from calib.model.store.certification_rules import default_range, live
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, Validity, duration
from calib.model.store.validity import shown_instant as _iso
from calib.store.records.certifications import of_detector, read_certifications
from calib.store.resolve.ranking import LONG
from calib.store.schema.tables import (
    CALIBRATION,
    CALIBRATION_DATASET,
    CERTIFICATION,
    DEED,
    PANEL,
    RELABELLING,
    WITHDRAWAL,
)

_DAY = timedelta(days=1)
_LEAST_MM = 10.0
"""A distance below this was probably given in metres."""
_METRES = "if {:g} is in metres, give it in mm: --distance-mm {:g}."
_DERIVE = "derive a calibration from data {}"
_OF_THAT_TIME, _AT_THAT_DISTANCE = "of that time", "at that distance"
_CLOSEST = "--time-policy closest"


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

        def is_sound(one: Certification) -> bool:
            start = one.validity.start
            if at >= start:
                return _may_reach_on(connection, one.calibration_id, at, start)
            return _may_reach_back(connection, one.calibration_id, at, start, known_at)

        def reach(one: Certification) -> DistanceRange | None:
            wanted = select(CALIBRATION.c.accepted, CALIBRATION.c.distances_mm)
            row = connection.execute(wanted.where(CALIBRATION.c.id == one.calibration_id)).one()
            return default_range(json.loads(row.distances_mm)) if row.accepted else None

        return _none_covers(certified, at, distance_mm, is_sound, reach)
    return _never_certified(connection, serial, detector, at, distance_mm, known_at)


def _none_covers(
    certified: list[Certification],
    at: datetime,
    distance_mm: float,
    is_sound: Callable[[Certification], bool] = lambda _one: True,
    reach: Callable[[Certification], DistanceRange | None] = lambda one: one.distances,
) -> NotFoundError:
    """``is_sound`` says whether a calibration may be certified for the time of the data, ``reach``
    for which distances it may be by default; None for a draft."""

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
        offsets.append(f"{far:.3g} mm off")
    return NotFoundError(
        "not-certified",
        f"no calibration of detector {nearest.serial} is certified for {_iso(at)} at "
        f"{_shown_mm(distance_mm, nearest)} mm. Nearest: {_name(nearest)} is certified "
        f"{_span(nearest.validity)}, {nearest.distances.minimum_mm:.6g} to "
        f"{nearest.distances.maximum_mm:.6g} mm "
        f"(the data are {' and '.join(offsets)}).",
        remedy=_remedy(nearest, at, distance_mm, is_sound, reach)
        or _command(_name(nearest), validity, distances),
    )


def _remedy(
    nearest: Certification,
    at: datetime,
    distance_mm: float,
    is_sound: Callable[[Certification], bool],
    reach: Callable[[Certification], DistanceRange | None],
) -> str:
    """What to do where the nearest calibration should not be certified for the point: the distance
    is beyond its extrapolation limit and beyond the reach of its data, or the time is, or it is a
    draft. Empty where it may be."""
    if distance_mm < _LEAST_MM:
        return _METRES.format(distance_mm, 1e3 * distance_mm)
    supported = reach(nearest)
    draft = supported is None
    in_time, far = at in nearest.validity, nearest.distances.gap_to(distance_mm)
    off_time = not in_time and (draft or not is_sound(nearest))
    off_distance = far > 0.0 and (
        supported is None or (far > nearest.gap_mm and distance_mm not in supported)
    )
    if not (off_time or off_distance):
        return ""
    wanted = [_OF_THAT_TIME] * off_time + [_AT_THAT_DISTANCE] * off_distance
    closest = f", or accept one of another time: {_CLOSEST}"
    return f"{_DERIVE.format(' and '.join(wanted))}{'' if far or in_time else closest}."


def _may_reach_on(
    connection: Connection, calibration_id: str, at: datetime, start: datetime | None
) -> bool:
    """Whether data at ``at`` are so soon after those of the calibration, or after the start of its
    certification, that look-ups would give no warning."""
    _, taken = _first_and_last(connection, calibration_id)
    checked = [one for one in (taken, start) if one is not None]
    return not checked or at - max(checked) <= LONG


def _may_reach_back(
    connection: Connection, calibration_id: str, at: datetime, start: datetime, known_at: int
) -> bool:
    """Whether data as old as ``at`` are not further from the data of the calibration than these are
    from the present, which is the time of the last entry of the log.

    ``start`` is used for a calibration whose data have no time.
    """
    taken, _ = _first_and_last(connection, calibration_id)
    present = connection.execute(
        select(DEED.c.recorded_at)
        .where(DEED.c.position <= known_at)
        .order_by(DEED.c.position.desc())
        .limit(1)
    ).scalar()
    data = start if taken is None else taken
    return present is None or data - at <= max(present - data, _DAY)


def _first_and_last(
    connection: Connection, calibration_id: str
) -> tuple[datetime | None, datetime | None]:
    """When the first and the last of a calibration's datasets were taken; None if unknown."""
    started = CALIBRATION_DATASET.c.started
    row = connection.execute(
        select(func.min(started), func.max(started))
        .join(CALIBRATION, CALIBRATION.c.position == CALIBRATION_DATASET.c.calibration)
        .where(CALIBRATION.c.id == calibration_id)
    ).one()
    return row[0], row[1]


def _never_certified(
    connection: Connection,
    serial: str,
    detector: int,
    at: datetime,
    distance_mm: float,
    known_at: int,
) -> NotFoundError:
    """The error where nothing is certified; proposes the newest calibration that was accepted and
    neither withdrawn nor recorded under another serial."""
    mine = (CALIBRATION.c.detector == detector) & (CALIBRATION.c.position <= known_at)
    if connection.execute(select(CALIBRATION.c.position).where(mine).limit(1)).first() is None:
        return NotFoundError(
            "not-certified",
            f"detector {serial} has no calibration yet.",
            remedy=f"calib derive ... --serial {shlex.quote(serial)}.",
        )
    newest = connection.execute(
        select(
            CALIBRATION.c.version,
            CALIBRATION.c.id,
            CALIBRATION.c.distances_mm,
            CALIBRATION.c.position,
        )
        .where(mine, CALIBRATION.c.accepted, ~_withdrawn(known_at), ~_relabelled(known_at))
        .order_by(CALIBRATION.c.version.desc())
        .limit(1)
    ).first()
    sound = newest is not None and (
        _may_reach_back(connection, newest.id, at, at, known_at)
        and _may_reach_on(connection, newest.id, at, None)
    )
    wanted = [_OF_THAT_TIME] * (not sound)
    if newest is not None and distance_mm not in default_range(json.loads(newest.distances_mm)):
        wanted += [_AT_THAT_DISTANCE]
    if distance_mm < _LEAST_MM:
        remedy = _METRES.format(distance_mm, 1e3 * distance_mm)
    elif wanted or newest is None:
        remedy = f"{_DERIVE.format(' and '.join(wanted))}."
    else:
        partial = _is_partial(connection, newest.position)
        validity = Validity(_midnight(at), None)
        remedy = _command(f"{serial}:{newest.version}", validity, None, partial=partial)
    return NotFoundError(
        "not-certified", f"no calibration of detector {serial} is certified.", remedy=remedy
    )


def _is_partial(connection: Connection, calibration: int) -> bool:
    """Whether the calibration at this position measures less than half of the panels, so that
    certifying it has to be confirmed."""
    measured = func.sum(case((PANEL.c.status == PanelStatus.MEASURED.value, 1), else_=0))
    row = connection.execute(
        select(measured.label("measured"), func.count().label("n")).where(
            PANEL.c.calibration == calibration
        )
    ).one()
    return bool(2 * row.measured < row.n)


def _withdrawn(known_at: int) -> ColumnElement[bool]:
    """Condition: a certification of the calibration was withdrawn."""
    return exists().where(
        CERTIFICATION.c.calibration == CALIBRATION.c.position,
        WITHDRAWAL.c.certification == CERTIFICATION.c.position,
        WITHDRAWAL.c.position <= known_at,
    )


def _relabelled(known_at: int) -> ColumnElement[bool]:
    """Condition: the calibration was recorded again under the right serial."""
    return exists().where(
        RELABELLING.c.calibration == CALIBRATION.c.position, RELABELLING.c.position <= known_at
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


def _shown_mm(distance_mm: float, nearest: Certification) -> str:
    """A distance to a tenth of a millimetre; exactly where it is below a millimetre, or where that
    would hide that it is outside of the range."""
    rounded = round(distance_mm, 1)
    is_same = (rounded in nearest.distances) == (distance_mm in nearest.distances)
    return f"{rounded if is_same and rounded >= 1.0 else distance_mm:.6g}"


def _command(
    name: str, validity: Validity, distances: DistanceRange | None, *, partial: bool = False
) -> str:
    command = ["calib", "certify", shlex.quote(name), "--from", _iso(validity.start)]
    if validity.end is not None:
        command += ["--to", _iso(validity.end)]
    if distances is not None:
        command += ["--min-distance", repr(distances.minimum_mm)]
        command += ["--max-distance", repr(distances.maximum_mm)]
    command += ["--partial"] * partial
    return " ".join([*command, '--reason "..."'])


def _name(certification: Certification) -> str:
    return f"{certification.serial}:{certification.version}"


def _midnight(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def _span(validity: Validity) -> str:
    if validity.end is None:
        return f"from {_iso(validity.start)} on"
    return f"from {_iso(validity.start)} to {_iso(validity.end)}"
