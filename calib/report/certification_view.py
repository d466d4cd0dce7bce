"""Certifications as scripts see them."""

from __future__ import annotations

from typing import Any

from calib.model.record import Certification, Deed
from calib.report.scalar import instant, number


def deed_view(deed: Deed | None) -> dict[str, Any] | None:
    """Who, when, where; None where nobody did."""
    return None if deed is None else {"at": instant(deed.at), "by": deed.actor, "host": deed.host}


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
        "reason": certification.reason,
        "override": certification.override or None,
        "recorded": deed_view(certification.recorded),
        "withdrawn": None
        if withdrawn is None
        else {**withdrawn, "reason": certification.withdrawn_reason},
    }
