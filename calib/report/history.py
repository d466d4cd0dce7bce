"""The history of a detector, or of one of its panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.base.text import joined
from calib.model.detector.correction import PANEL_PARAMETERS
from calib.model.store.bundle import OriginEntry
from calib.model.store.history import Belief, Event, ExplainedEvent, Knowledge
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
    distance_range,
    fixed,
    general,
    moment_words,
    span,
)
from calib.report.bundle import origin_table, origin_view
from calib.report.calibration.parameters import cells, headings
from calib.report.certifications import certification_table, certification_view, stamp_view
from calib.report.detector.amendments import (
    edit_view,
    edit_words,
    relabelling_view,
    retirement_view,
    retirement_words,
)
from calib.report.detector.placements import placement_view
from calib.report.difference import drift_view, verdict_words
from calib.report.scalar import instant, moment_view, number


def history_view(
    serial: str,
    known_at: Moment,
    period: Validity | None,
    holding: Sequence[Certification],
    placement: BeamlinePlacement | None,
    n_events: int,
    events: Sequence[ExplainedEvent],
    origins: Sequence[OriginEntry],
) -> dict[str, Any]:
    """The events of a detector, and the certifications valid for a time if one is given."""
    return {
        "serial": serial,
        "as_known_at": moment_view(known_at),
        "at": period_view(period),
        "holding": [certification_view(one) for one in holding],
        "placement": None if placement is None else placement_view(placement),
        "n_events": n_events,
        "events": [_event_view(one) for one in events],
        "origins": [origin_view(one) for one in origins],
    }


def panel_history_view(
    serial: str, panel: int, period: Validity, then: Knowledge, now: Knowledge
) -> dict[str, Any]:
    """The corrections of one panel for a period, as known then and as known now."""
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


def _event_view(recorded: ExplainedEvent) -> dict[str, Any]:
    event = recorded.event
    certification = event.certified if event.certified is not None else event.withdrawn
    reason = "" if recorded.entry is None else recorded.entry.recorded.reason
    if event.withdrawn is not None:
        reason = event.withdrawn.withdrawn_reason
    elif event.certified is not None:
        reason = event.certified.reason
    return {
        "event": _kind(event),
        "recorded": stamp_view(event.recorded),
        "position": None if recorded.entry is None else recorded.entry.position,
        "reason": reason or None,
        "command": (recorded.entry.recorded.command or None)
        if recorded.entry is not None
        else None,
        "calibration": None if event.derived is None else _derived_view(event.derived),
        "certification": None if certification is None else certification_view(certification),
        "placement": None if event.placed is None else placement_view(event.placed),
        "edit": None if event.edited is None else edit_view(event.edited),
        "retirement": None if event.retired is None else retirement_view(event.retired),
        "relabelling": None if event.relabelled is None else relabelling_view(event.relabelled),
        "drift": None
        if recorded.drift is None
        else {"against": recorded.against, **drift_view(recorded.drift)},
    }


def _derived_view(line: CalibrationLine) -> dict[str, Any]:
    """The properties of a calibration that never change after it is derived."""
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
    if event.withdrawn is not None:
        return "withdrawn"
    if event.edited is not None:
        return "edited"
    if event.retired is not None:
        return "returned" if event.retired.start is None else "retired"
    return "placed" if event.placed is not None else "relabelled"


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
    """Events, latest first; before them, the certifications for a time if one was given."""
    known = view["as_known_at"]
    facts = [("Detector", view["serial"]), ("As known at", moment_words(known))]
    blocks: list[Block] = []
    if view["at"] is not None:
        facts.append(("At", span(view["at"]["from"], view["at"]["to"])))
        placement = view["placement"]
        facts.append(("Beamline", NONE if placement is None else placement["beamline"]))
    blocks.append(Facts(tuple(facts)))
    if view["at"] is not None:
        if view["holding"]:
            blocks.append(certification_table(view["holding"]))
        else:
            blocks.append(Sentences("", ("No calibration was certified for that time.",)))
    shown, n_all = view["events"], view["n_events"]
    if not shown:
        blocks.append(Sentences("", ("Nothing had been recorded for this detector by then.",)))
        return blocks
    which = f"{len(shown)} of {n_all}" if len(shown) < n_all else f"all {n_all}"
    blocks.append(
        Table(
            f"Events, latest first ({which})",
            ("recorded", "by", "event", "reason", "drift"),
            tuple(_event_row(event) for event in shown),
            n_text=5,
        )
    )
    if view["origins"]:
        blocks.append(origin_table(view["origins"]))
    return blocks


def panel_history_blocks(view: View) -> list[Block]:
    """The corrections of one panel as known then, and as known now if that differs."""
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
        blocks.append(Sentences("As known now", ("Unchanged.",)))
    else:
        blocks += _known_blocks("As known now", now)
    return blocks


def _known_blocks(title: str, known: View) -> list[Block]:
    heading = f"{title} ({moment_words(known['as_known_at'])})"
    if not known["held"]:
        return [Sentences(heading, ("No calibration was certified for that time.",))]
    table = Table(
        heading,
        ("calibration", "status", *headings(PANEL_PARAMETERS), "reflections"),
        tuple(_values(held) for held in known["held"]),
        n_text=2,
    )
    lines = [line for held in known["held"] for line in _grounds(held)]
    return [table, Sentences("", tuple(lines))]


def _values(held: View) -> tuple[str, ...]:
    row = held["values"]
    return (
        held["calibration"],
        row["status"],
        *cells(row, PANEL_PARAMETERS, with_fixed=True),
        str(row["n_reflections"]),
    )


def _grounds(held: View) -> list[str]:
    certification = held["certification"]
    datasets = ", ".join(
        f"{one['name']} ({one['n_reflections']} reflections, {general(one['distance_mm'], 4)} mm)"
        for one in held["datasets"]
    )
    override = f" (override: {certification['override']})" if certification["override"] else ""
    return [
        f"{held['calibration']} was certified by {certification['recorded']['by']} on "
        f"{at_second(certification['recorded']['at'])} for {_region(certification)}: "
        f"{certification['reason']}{override}.",
        f"Derived from {datasets}.",
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
    line, certification, placement = (
        event["calibration"],
        event["certification"],
        event["placement"],
    )
    if line is not None:
        at = joined([fixed(value, 0) for value in line["distances_mm"]])
        draft = "" if line["accepted"] else ", draft"
        return f"derived {line['calibration']} ({line['freedom']}, {at} mm{draft})"
    if certification is not None:
        return f"{event['event']} {certification['calibration']} for {_region(certification)}"
    if event["edit"] is not None:
        since = "" if event["edit"]["from"] is None else f" from {at_second(event['edit']['from'])}"
        return f"changed {edit_words(event['edit'])}{since}"
    if event["retirement"] is not None:
        return retirement_words(event["retirement"])
    if event["relabelling"] is not None:
        one = event["relabelling"]
        return (
            f"relabelled {one['calibration_id'][:12]}: recorded again for {one['serial']} as "
            f"{one['replacement_id'][:12]}"
        )
    return f"placed at {placement['beamline']} from {at_second(placement['from'])}"


def _region(certification: View) -> str:
    return f"{span(certification['from'], certification['to'])}, {distance_range(certification)} mm"


def _drift(drift: View | None) -> str:
    if drift is None:
        return NONE
    shift = fixed(drift["rms_shift_um"]["in_plane"], 1)
    return (
        f"compared with {drift['against']}: {verdict_words(drift)} (rms {shift} um, "
        f"p = {general(drift['p_value'], 2)})"
    )
