"""history: the events of a detector, and how far its panels moved between calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from calib.errors import InputError
from calib.flows.diff import between, checked_repeat_mm
from calib.flows.shared.times import read_moment, read_period
from calib.model.store.bundle import OriginEntry
from calib.model.store.certification_rules import holding
from calib.model.store.history import (
    Belief,
    Event,
    ExplainedEvent,
    Knowledge,
    events_of,
)
from calib.model.store.log import Entry, Moment
from calib.model.store.placement import BeamlinePlacement, placement_at
from calib.model.store.protocol import StoreLike
from calib.model.store.record import (
    CalibrationLine,
    Certification,
    DetectorRecord,
    StoredCalibration,
)
from calib.model.store.validity import Validity


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The events of a detector as known at a moment, and the certifications valid in a period."""

    serial: str
    known_at: Moment
    period: Validity | None
    """The period asked for with ``at``."""
    holding: tuple[Certification, ...]
    """The certifications in force in that period, the latest recorded first."""
    placement: BeamlinePlacement | None
    """Where the detector was mounted at the start of the period."""
    n_events: int
    events: tuple[ExplainedEvent, ...]
    """The latest first, limited in number."""
    origins: tuple[OriginEntry, ...]
    """Records of other stores that bundles brought, the latest first, limited alike."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelHistory:
    """The calibrations of one panel in force in a period: as known then, and as known now."""

    serial: str
    panel: int
    period: Validity
    then: Knowledge
    now: Knowledge


def history(
    store: StoreLike,
    serial: str,
    *,
    at: str | None,
    as_known_at: str | None,
    limit: int,
    repeat_um: float | None,
    now: datetime,
) -> History:
    """The events of a detector, with the drift of each shown calibration against the one before
    it that passed acceptance. Times without offset are read in the detector's time zone."""
    repeat_mm = checked_repeat_mm(repeat_um)
    if limit < 1:
        raise InputError(
            "bad-limit", f"the limit is {limit}, but must be at least 1.", remedy="use --limit 20."
        )
    detector = store.detectors.get(serial)
    zone = detector.zones
    known_at = store.log.moment(
        None if as_known_at is None else read_moment(as_known_at, zone, now)
    )
    period = None if at is None else read_period(at, zone, now)
    if known_at.at is None:
        return History(serial, known_at, period, (), None, 0, (), ())
    lines = store.calibrations.list(serial, known_at.position)
    certifications = store.certifications.list(serial, known_at.position)
    placements = store.placements.list(serial, known_at.position)
    events = events_of(
        lines,
        certifications,
        placements,
        store.detectors.edits(serial, known_at.position),
        store.detectors.retirements(serial, known_at.position),
        store.calibrations.relabellings(serial, known_at.position),
    )
    entries = {
        entry.recorded.at: entry
        for entry in store.log.entries_at([event.recorded.at for event in events])
    }
    # In the order of the log: after a correction of the clock times do not rise with it.
    events.sort(key=lambda event: _position(entries, event), reverse=True)
    return History(
        serial=serial,
        known_at=known_at,
        period=period,
        holding=() if period is None else tuple(holding(certifications, period)),
        placement=None if period is None else placement_at(placements, period.start),
        n_events=len(events),
        events=tuple(_explained(store, detector, events[:limit], entries, lines, repeat_mm)),
        origins=tuple(store.bundles.origins(serial=serial, known_at=known_at.position))[::-1][
            :limit
        ],
    )


def panel_history(
    store: StoreLike,
    serial: str,
    panel: int,
    *,
    at: str | None,
    as_known_at: str | None,
    now: datetime,
) -> PanelHistory:
    """The calibrations of a panel in force in a period (default: now), as known at its end (or at
    ``as_known_at``) and as known now."""
    record = store.detectors.get(serial)
    if not 0 <= panel < len(record.layout):
        raise InputError(
            "bad-panel",
            f"detector {serial} has panels 0 to {len(record.layout) - 1}, not {panel}.",
            remedy=f"see calib detector show {serial} --panels.",
        )
    period = read_period("now" if at is None else at, record.zones, now)
    if as_known_at is not None:
        then = store.log.moment(read_moment(as_known_at, record.zones, now))
    else:
        then = store.log.moment(period.end)
    views = [
        Knowledge(
            moment,
            tuple(
                Belief(one, store.calibrations.get(one.calibration_id))
                for one in holding(store.certifications.list(serial, moment.position), period)
            ),
        )
        for moment in (then, store.log.moment())
    ]
    return PanelHistory(serial, panel, period, *views)


def _explained(
    store: StoreLike,
    detector: DetectorRecord,
    events: list[Event],
    entries: Mapping[datetime, Entry],
    lines: Sequence[CalibrationLine],
    repeat_mm: float,
) -> list[ExplainedEvent]:
    read: dict[str, StoredCalibration] = {}

    def stored(line: CalibrationLine) -> StoredCalibration:
        if line.id not in read:
            read[line.id] = store.calibrations.get(line.id)
        return read[line.id]

    explained = []
    for event in events:
        before = None if event.derived is None else _before(event.derived, lines)
        drift = None
        if event.derived is not None and before is not None:
            drift = between(detector.layout, stored(before), stored(event.derived), repeat_mm)
        explained.append(
            ExplainedEvent(
                event=event,
                entry=entries.get(event.recorded.at),
                against="" if before is None else f"{detector.serial}:{before.version}",
                drift=drift,
            )
        )
    return explained


def _position(entries: Mapping[datetime, Entry], event: Event) -> int:
    entry = entries.get(event.recorded.at)
    return 0 if entry is None else entry.position


def _before(line: CalibrationLine, lines: Sequence[CalibrationLine]) -> CalibrationLine | None:
    """The calibration before this one that passed acceptance."""
    earlier = [one for one in lines if one.version < line.version and one.accepted]
    return max(earlier, key=lambda one: one.version, default=None)
