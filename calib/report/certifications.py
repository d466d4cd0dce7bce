"""Certifications, withdrawals and the changes that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.certification_rules import Change
from calib.model.store.record import Certification, ChangeStamp
from calib.report.blocks import (
    NONE,
    Block,
    Sentences,
    Table,
    View,
    at_second,
    distance_range,
    general,
    span,
)
from calib.report.scalar import instant, number


def stamp_view(stamp: ChangeStamp | None) -> dict[str, Any] | None:
    """When, by whom and on which host a change was made; None if it was not."""
    return (
        None if stamp is None else {"at": instant(stamp.at), "by": stamp.actor, "host": stamp.host}
    )


def change_view(change: Change) -> dict[str, Any]:
    """A region of time and distance, and the calibrations valid there before and after."""
    return {
        "from": instant(change.region.validity.start),
        "to": instant(change.region.validity.end),
        "min_distance_mm": number(change.region.distances.minimum_mm),
        "max_distance_mm": number(change.region.distances.maximum_mm),
        "before": _named(change.before),
        "after": _named(change.after),
    }


def _named(certification: Certification | None) -> dict[str, Any] | None:
    if certification is None:
        return None
    return {
        "calibration": f"{certification.serial}:{certification.version}",
        "number": certification.number or None,
    }


def certification_view(certification: Certification) -> dict[str, Any]:
    """One certification and its withdrawal; its number is None before it is recorded."""
    withdrawn = stamp_view(certification.withdrawn)
    return {
        "number": certification.number or None,
        "calibration": f"{certification.serial}:{certification.version}",
        "calibration_id": certification.calibration_id,
        "serial": certification.serial,
        "from": instant(certification.validity.start),
        "to": instant(certification.validity.end),
        "min_distance_mm": number(certification.distances.minimum_mm),
        "max_distance_mm": number(certification.distances.maximum_mm),
        "gap_mm": number(certification.gap_mm),
        "reason": certification.reason,
        "override": certification.override or None,
        "recorded": stamp_view(certification.recorded),
        "withdrawn": None
        if withdrawn is None
        else {**withdrawn, "reason": certification.withdrawn_reason},
    }


def certification_table(views: Sequence[View]) -> Table:
    """Certifications, one per line, including withdrawn ones."""
    return Table(
        "Certifications",
        (
            "number",
            "calibration",
            "valid",
            "distances mm",
            "extrapolation limit mm",
            "by",
            "recorded",
            "reason",
            "withdrawn",
        ),
        tuple(
            (
                "-" if view["number"] is None else str(view["number"]),
                view["calibration"],
                span(view["from"], view["to"]),
                distance_range(view),
                general(view["gap_mm"], 6),
                view["recorded"]["by"],
                at_second(view["recorded"]["at"]),
                view["reason"] + (f" (override: {view['override']})" if view["override"] else ""),
                ""
                if view["withdrawn"] is None
                else f"{at_second(view['withdrawn']['at'])} by {view['withdrawn']['by']}: "
                f"{view['withdrawn']['reason']}",
            )
            for view in views
        ),
        n_text=9,
    )


def change_blocks(views: Sequence[View], affected: int) -> list[Block]:
    """Which calibration was and is valid in each region, and the number of files affected."""
    if not views:
        return [Sentences("", ("No calibration in use changes.",))]
    table = Table(
        "Changes",
        ("data taken", "distances mm", "valid before", "valid now"),
        tuple(
            (
                span(view["from"], view["to"]),
                distance_range(view),
                _calibration_words(view["before"]),
                _calibration_words(view["after"]),
            )
            for view in views
        ),
        n_text=4,
    )
    are = "application is" if affected == 1 else "applications are"
    return [table, Sentences("", (f"{affected} recorded {are} affected.",))]


def change_sentences(views: Sequence[View]) -> list[str]:
    """The changes in words, for the question before they are made."""
    if not views:
        return ["No calibration in use changes."]
    return [
        f"{_calibration_words(view['after'], 'No calibration')} will be valid for data taken "
        f"{span(view['from'], view['to'])} at {distance_range(view)} mm, instead of "
        f"{_calibration_words(view['before'], 'none')}."
        for view in views
    ]


def _calibration_words(view: View | None, none: str = NONE) -> str:
    if view is None:
        return none
    number = "" if view["number"] is None else f" (certification {view['number']})"
    return f"{view['calibration']}{number}"
