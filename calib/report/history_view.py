"""A detector's history as scripts see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.bundle import OriginEntry
from calib.model.store.history import Belief, Event, Knowledge, Told
from calib.model.store.log import Moment
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import CalibrationLine, Certification
from calib.model.store.validity import Validity
from calib.report.bundle_view import origin_view
from calib.report.certification_view import certification_view, deed_view
from calib.report.drift_view import drift_view
from calib.report.placement_view import placement_view
from calib.report.scalar import instant, moment_view, number


def history_view(
    serial: str,
    known_at: Moment,
    period: Validity | None,
    holding: Sequence[Certification],
    placement: BeamlinePlacement | None,
    n_events: int,
    events: Sequence[Told],
    origins: Sequence[OriginEntry],
) -> dict[str, Any]:
    """The timeline, and what held at some time where that was asked for."""
    return {
        "serial": serial,
        "as_known_at": moment_view(known_at),
        "at": period_view(period),
        "holding": [certification_view(one) for one in holding],
        "placement": None if placement is None else placement_view(placement),
        "n_events": n_events,
        "events": [_event(told) for told in events],
        "origins": [origin_view(one) for one in origins],
    }


def panel_history_view(
    serial: str, panel: int, period: Validity, then: Knowledge, now: Knowledge
) -> dict[str, Any]:
    """What was held of one panel, as known then and as known now."""
    return {
        "serial": serial,
        "panel": panel,
        "at": period_view(period),
        "then": _knowledge(then, panel),
        "now": _knowledge(now, panel),
    }


def period_view(period: Validity | None) -> dict[str, Any] | None:
    """A half-open interval of time."""
    if period is None:
        return None
    return {"from": instant(period.start), "to": instant(period.end)}


def _event(told: Told) -> dict[str, Any]:
    event = told.event
    word = event.certified if event.certified is not None else event.withdrawn
    reason = "" if told.entry is None else told.entry.recorded.reason
    if event.withdrawn is not None:
        reason = event.withdrawn.withdrawn_reason
    elif event.certified is not None:
        reason = event.certified.reason
    return {
        "event": _kind(event),
        "recorded": deed_view(event.recorded),
        "position": None if told.entry is None else told.entry.position,
        "reason": reason or None,
        "command": (told.entry.recorded.command or None) if told.entry is not None else None,
        "calibration": None if event.derived is None else _derived(event.derived),
        "certification": None if word is None else certification_view(word),
        "placement": None if event.placed is None else placement_view(event.placed),
        "drift": None
        if told.drift is None
        else {"against": told.against, **drift_view(told.drift)},
    }


def _derived(line: CalibrationLine) -> dict[str, Any]:
    """What was true of a calibration when it was derived, and is for ever."""
    return {
        "calibration": f"{line.serial}:{line.version}",
        "id": line.id,
        "version": line.version,
        "distances_mm": [number(distance) for distance in line.distances_mm],
        "freedom": line.freedom,
        "n_reflections": line.n_reflections,
        "accepted": line.accepted,
    }


def _kind(event: Event) -> str:
    if event.derived is not None:
        return "derived"
    if event.certified is not None:
        return "certified"
    return "withdrawn" if event.withdrawn is not None else "placed"


def _knowledge(knowledge: Knowledge, panel: int) -> dict[str, Any]:
    return {
        "as_known_at": moment_view(knowledge.known_at),
        "held": [_belief(belief, panel) for belief in knowledge.beliefs],
    }


def _belief(belief: Belief, panel: int) -> dict[str, Any]:
    record = belief.calibration.record
    (row,) = record.estimate.panel_rows(record.panel_names)[panel : panel + 1]
    return {
        "calibration": belief.calibration.name,
        "calibration_id": belief.calibration.id,
        "values": row,
        "certification": certification_view(belief.certification),
        "accepted": record.acceptance.accepted,
        "acceptance_reasons": list(record.acceptance.reasons),
        "datasets": [
            {
                "name": use.name,
                "sha256": list(use.sha256),
                "n_reflections": use.n_reflections,
                "distance_mm": number(use.distance_mm),
            }
            for use in record.report.datasets
        ],
    }
