"""The history of a detector, or of one of its panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.base.text import joined
from calib.model.detector.correction import PANEL_PARAMETERS
from calib.model.store.bundle import OriginEntry
from calib.model.store.history import Belief, Event, Knowledge, Told
from calib.model.store.log import Moment
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import CalibrationLine, Certification
from calib.model.store.validity import Validity
from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    fixed,
    general,
    moment_words,
    span,
)
from calib.report.bundle import origin_table, origin_view
from calib.report.calibration.parameters import cells, headings
from calib.report.certifications import certification_table, certification_view, stamp_view
from calib.report.difference import drift_view, verdict_words
from calib.report.placements import placement_view
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
        "events": [_event_view(told) for told in events],
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
        "then": _knowledge_view(then, panel),
        "now": _knowledge_view(now, panel),
    }


def period_view(period: Validity | None) -> dict[str, Any] | None:
    """A half-open interval of time."""
    if period is None:
        return None
    return {"from": instant(period.start), "to": instant(period.end)}


def _event_view(told: Told) -> dict[str, Any]:
    event = told.event
    word = event.certified if event.certified is not None else event.withdrawn
    reason = "" if told.entry is None else told.entry.recorded.reason
    if event.withdrawn is not None:
        reason = event.withdrawn.withdrawn_reason
    elif event.certified is not None:
        reason = event.certified.reason
    return {
        "event": _kind(event),
        "recorded": stamp_view(event.recorded),
        "position": None if told.entry is None else told.entry.position,
        "reason": reason or None,
        "command": (told.entry.recorded.command or None) if told.entry is not None else None,
        "calibration": None if event.derived is None else _derived_view(event.derived),
        "certification": None if word is None else certification_view(word),
        "placement": None if event.placed is None else placement_view(event.placed),
        "drift": None
        if told.drift is None
        else {"against": told.against, **drift_view(told.drift)},
    }


def _derived_view(line: CalibrationLine) -> dict[str, Any]:
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


def _knowledge_view(knowledge: Knowledge, panel: int) -> dict[str, Any]:
    return {
        "as_known_at": moment_view(knowledge.known_at),
        "held": [_belief_view(belief, panel) for belief in knowledge.beliefs],
    }


def _belief_view(belief: Belief, panel: int) -> dict[str, Any]:
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


def history_blocks(view: View) -> list[Block]:
    """The timeline, the latest first; before it, what held at the time that was asked for."""
    known = view["as_known_at"]
    facts = [("Detector", view["serial"]), ("As known at", moment_words(known))]
    blocks: list[Block] = []
    if view["at"] is not None:
        facts.append(("At", span(view["at"]["from"], view["at"]["to"])))
        stood = view["placement"]
        facts.append(("Stood at", NONE if stood is None else stood["beamline"]))
    blocks.append(Facts(tuple(facts)))
    if view["at"] is not None:
        if view["holding"]:
            blocks.append(certification_table(view["holding"]))
        else:
            blocks.append(Sentences("", ("Nothing was certified for that time.",)))
    shown, n_all = view["events"], view["n_events"]
    if not shown:
        blocks.append(Sentences("", ("Nothing was recorded about this detector until then.",)))
        return blocks
    which = f"the latest {len(shown)} of {n_all}" if len(shown) < n_all else f"all {n_all}"
    blocks.append(
        Table(
            f"Events, the latest first ({which})",
            ("recorded", "by", "what", "why", "drift"),
            tuple(_event_row(event) for event in shown),
            n_text=5,
        )
    )
    if view["origins"]:
        blocks.append(origin_table(view["origins"]))
    return blocks


def panel_history_blocks(view: View) -> list[Block]:
    """What was held of one panel: as known then, and as known now where that differs."""
    blocks: list[Block] = [
        Facts(
            (
                ("Detector", view["serial"]),
                ("Panel", str(view["panel"])),
                ("At", span(view["at"]["from"], view["at"]["to"])),
            )
        )
    ]
    then, now = view["then"], view["now"]
    blocks += _known_blocks("As known then", then)
    if then["held"] == now["held"]:
        blocks.append(Sentences("As known now", ("The same.",)))
    else:
        blocks += _known_blocks("As known now", now)
    return blocks


def _known_blocks(title: str, known: View) -> list[Block]:
    heading = f"{title} ({moment_words(known['as_known_at'])})"
    if not known["held"]:
        return [Sentences(heading, ("Nothing was certified for that time.",))]
    table = Table(
        heading,
        ("calibration", "status", *headings(PANEL_PARAMETERS), "reflections"),
        tuple(_values(held) for held in known["held"]),
        n_text=2,
    )
    said = [line for held in known["held"] for line in _why(held)]
    return [table, Sentences("", tuple(said))]


def _values(held: View) -> tuple[str, ...]:
    row = held["values"]
    return (
        held["calibration"],
        row["status"],
        *cells(row, PANEL_PARAMETERS, with_fixed=True),
        str(row["n_reflections"]),
    )


def _why(held: View) -> list[str]:
    word = held["certification"]
    datasets = ", ".join(
        f"{one['name']} ({one['n_reflections']} reflections, {general(one['distance_mm'], 4)} mm)"
        for one in held["datasets"]
    )
    override = f" (override: {word['override']})" if word["override"] else ""
    return [
        f"{held['calibration']} was certified by {word['recorded']['by']} on "
        f"{at_second(word['recorded']['at'])} for {span(word['from'], word['to'])}, "
        f"{general(word['min_distance_mm'], 6)} to {general(word['max_distance_mm'], 6)} mm: "
        f"{word['reason']}{override}.",
        f"It rests on {datasets}.",
        *held["acceptance_reasons"],
    ]


def _event_row(event: View) -> tuple[str, ...]:
    return (
        at_second(event["recorded"]["at"]),
        event["recorded"]["by"],
        _what(event),
        event["reason"] or NONE,
        _drift(event["drift"]),
    )


def _what(event: View) -> str:
    line, word, placed = event["calibration"], event["certification"], event["placement"]
    if line is not None:
        at = joined([fixed(value, 0) for value in line["distances_mm"]])
        draft = "" if line["accepted"] else ", a draft"
        return f"derived {line['calibration']} ({line['freedom']}, {at} mm{draft})"
    if word is not None:
        reach = (
            f"{span(word['from'], word['to'])}, {general(word['min_distance_mm'], 6)} to "
            f"{general(word['max_distance_mm'], 6)} mm"
        )
        return f"{event['event']} {word['calibration']} for {reach}"
    return f"placed at {placed['beamline']} from {at_second(placed['from'])}"


def _drift(drift: View | None) -> str:
    if drift is None:
        return NONE
    shift = fixed(drift["rms_shift_um"]["in_plane"], 1)
    return (
        f"against {drift['against']}: {verdict_words(drift)} (rms {shift} um, "
        f"p = {general(drift['p_value'], 2)})"
    )
