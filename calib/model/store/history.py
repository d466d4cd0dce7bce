"""The history of a detector: what was recorded, when and by whom; and what was valid when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calib.model.result.drift import Drift
from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement
from calib.model.store.log import Entry, Moment
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import CalibrationLine, Certification, ChangeStamp, StoredCalibration


@dataclass(frozen=True, slots=True)
class Event:
    """One record about a detector: exactly one of the optional fields is given."""

    recorded: ChangeStamp
    derived: CalibrationLine | None = None
    certified: Certification | None = None
    withdrawn: Certification | None = None
    placed: BeamlinePlacement | None = None
    edited: DetectorEdit | None = None
    retired: Retirement | None = None
    """A retirement, or a return to use."""
    relabelled: Relabelling | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedEvent:
    """An event with its log entry and, for a calibration, the drift since the previous one."""

    event: Event
    entry: Entry | None
    """Its entry in the log, if there is one."""
    against: str
    """The calibration that a new one is compared with; empty if it is the first."""
    drift: Drift | None
    """The difference of a new calibration from that one."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """A calibration that was certified somewhere in a period, as known at some moment."""

    certification: Certification
    calibration: StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """The certified calibrations of a period, as known at some moment."""

    known_at: Moment
    beliefs: tuple[Belief, ...]


def events_of(
    lines: Sequence[CalibrationLine],
    certifications: Sequence[Certification],
    placements: Sequence[BeamlinePlacement],
    edits: Sequence[DetectorEdit] = (),
    retirements: Sequence[Retirement] = (),
    relabellings: Sequence[Relabelling] = (),
) -> list[Event]:
    """All records, the latest first."""
    events = [Event(line.stored, derived=line) for line in lines]
    for one in certifications:
        events.append(Event(one.recorded, certified=one))
        if one.withdrawn is not None:
            events.append(Event(one.withdrawn, withdrawn=one))
    events += [Event(one.recorded, placed=one) for one in placements]
    events += [Event(one.recorded, edited=one) for one in edits]
    events += [Event(one.recorded, retired=one) for one in retirements]
    events += [Event(one.recorded, relabelled=one) for one in relabellings]
    return sorted(events, key=lambda event: event.recorded.at, reverse=True)
