"""Ranking certifications by their policies, the reasons why others do not apply, and warnings."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from calib.model.store.certification_rules import live
from calib.model.store.record import Certification
from calib.model.store.resolution import (
    Candidate,
    DistancePolicy,
    Query,
    ResolvedCalibration,
    TimePolicy,
)
from calib.model.store.validity import duration, shown_instant
from calib.store.records.certifications import of_detector, read_certifications
from calib.store.records.detectors import detector_position

LONG = timedelta(days=180)
"""A warning is given for data taken this much later than the last measurement of a calibration that
is certified until further notice."""
_NOW = timedelta(0)


def chosen(connection: Connection, detector: int, query: Query, known: int) -> Certification | None:
    """The certification that applies under the query's policies: the closest in time, then in
    distance, then the latest recorded."""
    certified = live(read_certifications(connection, of_detector(detector), known))
    admitted = [one for one in certified if not _refused(one, query)]
    return min(admitted, key=lambda one: _gaps(one, query), default=None)


def candidates(
    connection: Connection, query: Query, known: int, winner: Certification
) -> tuple[Candidate, ...]:
    """All other certifications of the detector as of a position, and why each does not apply."""
    detector = detector_position(connection, query.serial)
    certifications = read_certifications(connection, of_detector(detector), known)
    return tuple(
        Candidate(one, _reason_lost(one, query, winner))
        for one in certifications
        if one.number != winner.number
    )


def warnings(
    query: Query,
    recorded_at: datetime,
    calibration: ResolvedCalibration,
    certification: Certification,
) -> tuple[str, ...]:
    """What a user should know about the answer."""
    found = []
    name, at = calibration.name, query.at
    if query.as_known_at is not None and at > recorded_at:
        found.append(
            f"the data are later than {shown_instant(recorded_at)}; certifications recorded since "
            "then are ignored."
        )
    beyond_mm = certification.distances.gap_to(query.distance_mm)
    if beyond_mm > 0.0:
        found.append(
            f"the distance is {beyond_mm:.6g} mm outside the range that {name} is certified for."
        )
    late = certification.validity.gap_to(at)
    if late > _NOW:
        side = "begins" if at < certification.validity.start else "ended"
        order = "after" if at < certification.validity.start else "before"
        found.append(
            f"{name} is not certified for this time: it {side} {duration(late)} {order} the data."
        )
    if certification.override and not calibration.acceptance.accepted:
        found.append(
            f"{name} failed acceptance and is certified with an override: {certification.override}"
        )
    start = certification.validity.start
    checked = max(calibration.last_started or start, start)
    if certification.validity.end is None and at - checked > LONG:
        found.append(
            f"{name} is certified until further notice, but the data were taken "
            f"{duration(at - checked)} after it was last measured or certified."
        )
    return tuple(found)


def _refused(one: Certification, query: Query) -> bool:
    return _off_time(one, query) or _off_distance(one, query)


def _off_time(one: Certification, query: Query) -> bool:
    late = one.validity.gap_to(query.at) > _NOW
    return late and query.time_policy is not TimePolicy.CLOSEST


def _off_distance(one: Certification, query: Query) -> bool:
    reach_mm = one.gap_mm if query.distance_policy is DistancePolicy.NEAREST else 0.0
    return one.distances.gap_to(query.distance_mm) > reach_mm


def _gaps(one: Certification, query: Query) -> tuple[timedelta, float, int]:
    return (
        one.validity.gap_to(query.at),
        one.distances.gap_to(query.distance_mm),
        -one.number,
    )


def _reason_lost(one: Certification, query: Query, winner: Certification) -> str:
    """Why a certification does not apply: withdrawn, refused by a policy, or ranked after the
    winner, in which case the first of the ranking's criteria that differs is given."""
    if one.withdrawn is not None:
        return f"withdrawn {shown_instant(one.withdrawn.at)}: {one.withdrawn_reason}"
    off_time, off_distance = _off_time(one, query), _off_distance(one, query)
    if not (off_time or off_distance):
        late, gap_mm, _ = _gaps(one, query)
        least_late, least_gap_mm, _ = _gaps(winner, query)
        off_time = late > least_late
        off_distance = not off_time and gap_mm > least_gap_mm
    offsets = []
    if off_time:
        offsets.append(_time_offset(one, query))
    if off_distance:
        gap_mm = one.distances.gap_to(query.distance_mm)
        offsets.append(f"the distance is {gap_mm:.6g} mm outside its range")
    return " and ".join(offsets) or f"certification {winner.number} was recorded later"


def _time_offset(one: Certification, query: Query) -> str:
    late = duration(one.validity.gap_to(query.at))
    if query.at < one.validity.start:
        return f"begins {late} later"
    return f"ended {late} earlier"
