"""Which calibration answers, and why, as scripts see it."""

from __future__ import annotations

from typing import Any

from calib.model.store.resolution import Resolution
from calib.report.certification_view import certification_view
from calib.report.scalar import instant, number

_DAY_SECONDS = 86400.0


def resolution_view(found: Resolution) -> dict[str, Any]:
    """The answer with its explanation."""
    query, calibration = found.query, found.calibration
    return {
        "calibration": calibration.name,
        "calibration_id": calibration.id,
        "serial": calibration.serial,
        "at": instant(query.at),
        "distance_mm": number(query.distance_mm),
        "distance_policy": query.distance_policy.value,
        "time_policy": query.time_policy.value,
        "known_at": {"position": found.position, "at": instant(found.recorded_at)},
        "certification": certification_view(found.certification),
        "accepted": calibration.acceptance.accepted,
        "acceptance": list(calibration.acceptance.reasons),
        "derived_at_mm": [number(distance) for distance in calibration.distances_mm],
        "last_measured": instant(calibration.last_started),
        "age_days": None if found.age is None else found.age.total_seconds() / _DAY_SECONDS,
        "distance_gap_mm": number(found.distance_gap_mm),
        "time_gap_days": found.time_gap.total_seconds() / _DAY_SECONDS,
        "candidates": [
            {"certification": certification_view(one.certification), "lost": one.lost}
            for one in found.candidates
        ],
        "warnings": list(found.warnings),
    }
