"""A detector's history: what was said of it, when, by whom; and what held at some time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calib.model.drift import Drift
from calib.model.log import Entry, Moment
from calib.model.placement import BeamlinePlacement
from calib.model.record import CalibrationLine, Certification, Deed, StoredCalibration
from calib.model.validity import Validity


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was recorded about a detector: exactly one of the four is given."""

    recorded: Deed
    derived: CalibrationLine | None = None
    certified: Certification | None = None
    withdrawn: Certification | None = None
    placed: BeamlinePlacement | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """An event with what was looked up for it."""

    event: Event
    entry: Entry | None
    """Its entry in the log, where there is one."""
    against: str
    """The calibration that a new one is compared with; empty where there is none before it."""
    drift: Drift | None
    """How a new calibration differs from that one."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """By one certification, a calibration held somewhere in a period, as known at some moment."""

    certification: Certification
    calibration: StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What held in a period, as known at some moment."""

    known_at: Moment
    beliefs: tuple[Belief, ...]


def events_until(
    known_at: datetime,
    lines: Sequence[CalibrationLine],
    certifications: Sequence[Certification],
    placements: Sequence[BeamlinePlacement],
) -> list[Event]:
    """All that had been recorded up to an instant, the latest first."""
    events = [Event(line.stored, derived=line) for line in lines]
    for one in as_known(certifications, known_at):
        events.append(Event(one.recorded, certified=one))
        if one.withdrawn is not None:
            events.append(Event(one.withdrawn, withdrawn=one))
    events += [Event(one.recorded, placed=one) for one in placements]
    known = [event for event in events if event.recorded.at <= known_at]
    return sorted(known, key=lambda event: event.recorded.at, reverse=True)


def as_known(certifications: Sequence[Certification], known_at: datetime) -> list[Certification]:
    """The certifications as they stood at an instant of the record: what was recorded later is
    left out, and what was withdrawn later is not withdrawn yet."""
    known = []
    for one in certifications:
        if one.recorded.at > known_at:
            continue
        later = one.withdrawn is not None and one.withdrawn.at > known_at
        known.append(replace(one, withdrawn=None, withdrawn_reason="") if later else one)
    return known


def holding(certifications: Sequence[Certification], period: Validity) -> list[Certification]:
    """Those that answer for some instant of the period and some distance, the latest recorded
    first: of all that are not withdrawn and cover a point the latest one answers."""
    live = [
        one
        for one in sorted(certifications, key=lambda one: one.recorded.at, reverse=True)
        if one.withdrawn is None and _meets(one.validity, period)
    ]
    # Between neighbouring bounds the answer does not change: one point of each cell tells.
    times = {period.start} | {one.validity.start for one in live if one.validity.start in period}
    times |= {one.validity.end for one in live if one.validity.end and one.validity.end in period}
    distances = {one.distances.minimum_mm for one in live}
    distances |= {one.distances.maximum_mm for one in live}
    answering = set()
    for instant in times:
        covering = [one for one in live if instant in one.validity]
        for distance_mm in distances:
            top = next((one for one in covering if distance_mm in one.distances), None)
            answering.add(None if top is None else top.number)
    return [one for one in live if one.number in answering]


def _meets(validity: Validity, period: Validity) -> bool:
    ends_before = validity.end is not None and validity.end <= period.start
    begins_after = period.end is not None and period.end <= validity.start
    return not (ends_before or begins_after)
