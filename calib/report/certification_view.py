"""Certifications as scripts see them."""

from __future__ import annotations

from typing import Any

from calib.model.store.certification_rules import Change
from calib.model.store.record import Certification, ChangeStamp
from calib.report.scalar import instant, number


def deed_view(stamp: ChangeStamp | None) -> dict[str, Any] | None:
    """Who, when, where; None where nobody did."""
    return (
        None if stamp is None else {"at": instant(stamp.at), "by": stamp.actor, "host": stamp.host}
    )


def change_view(change: Change) -> dict[str, Any]:
    """A region in which another calibration answers than before."""
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
    """One certification, withdrawn or not; its number is None before it is recorded."""
    withdrawn = deed_view(certification.withdrawn)
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
        "recorded": deed_view(certification.recorded),
        "withdrawn": None
        if withdrawn is None
        else {**withdrawn, "reason": certification.withdrawn_reason},
    }
