"""Choosing where no certification covers the point; why the others lost; what to beware of."""

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
"""Data so much younger than the last measurement of an open-ended certification are warned of."""
_NOW = timedelta(0)


def chosen(connection: Connection, detector: int, query: Query, known: int) -> Certification | None:
    """The certification that the policies let answer: the closest in time, then in distance, then
    the latest recorded."""
    standing = live(read_certifications(connection, of_detector(detector), known))
    admitted = [one for one in standing if not _refused(one, query)]
    return min(admitted, key=lambda one: _gaps(one, query), default=None)


def candidates(
    connection: Connection, query: Query, known: int, winner: Certification
) -> tuple[Candidate, ...]:
    """All other certifications of the detector as known then, and why each does not answer."""
    detector = detector_position(connection, query.serial)
    words = read_certifications(connection, of_detector(detector), known)
    return tuple(
        Candidate(one, _lost(one, query, winner)) for one in words if one.number != winner.number
    )


def warnings(
    query: Query,
    recorded_at: datetime,
    calibration: ResolvedCalibration,
    certification: Certification,
) -> tuple[str, ...]:
    """What a person should know before he uses the answer."""
    said = []
    name, at = calibration.name, query.at
    if query.as_known_at is not None and at > recorded_at:
        said.append(
            f"the data are newer than what is known at {shown_instant(recorded_at)}: what was "
            "certified since is left out."
        )
    beyond_mm = certification.distances.gap_to(query.distance_mm)
    if beyond_mm > 0.0:
        said.append(f"the distance lies {beyond_mm:.6g} mm beyond those {name} is certified for.")
    late = certification.validity.gap_to(at)
    if late > _NOW:
        side = "begins" if at < certification.validity.start else "ended"
        order = "after" if at < certification.validity.start else "before"
        said.append(
            f"{name} is not certified for this time: it {side} {duration(late)} {order} the data."
        )
    if certification.override:
        said.append(
            f"{name} failed acceptance and is certified all the same: {certification.override}"
        )
    start = certification.validity.start
    checked = max(calibration.last_started or start, start)
    if certification.validity.end is None and at - checked > LONG:
        said.append(
            f"{name} is certified with no end, and the data were taken {duration(at - checked)} "
            "after it was last measured or certified from."
        )
    return tuple(said)


def _refused(one: Certification, query: Query) -> bool:
    gap_mm = one.distances.gap_to(query.distance_mm)
    reach_mm = one.gap_mm if query.distance_policy is DistancePolicy.NEAREST else 0.0
    off_time = one.validity.gap_to(query.at) > _NOW
    return gap_mm > reach_mm or (off_time and query.time_policy is not TimePolicy.CLOSEST)


def _gaps(one: Certification, query: Query) -> tuple[timedelta, float, int]:
    return (
        one.validity.gap_to(query.at),
        one.distances.gap_to(query.distance_mm),
        -one.number,
    )


def _lost(one: Certification, query: Query, winner: Certification) -> str:
    if one.withdrawn is not None:
        return f"withdrawn {shown_instant(one.withdrawn.at)}: {one.withdrawn_reason}"
    late = one.validity.gap_to(query.at)
    gap_mm = one.distances.gap_to(query.distance_mm)
    misses = []
    if late > _NOW:
        side = "begins" if query.at < one.validity.start else "ended"
        order = "later" if query.at < one.validity.start else "earlier"
        misses.append(f"{side} {duration(late)} {order}")
    if gap_mm > 0.0:
        misses.append(f"the distance lies {gap_mm:.6g} mm beyond")
    if misses and (_refused(one, query) or _gaps(one, query) > _gaps(winner, query)):
        return " and ".join(misses)
    return f"certification {winner.number} was recorded later"
