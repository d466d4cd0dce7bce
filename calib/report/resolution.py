"""Resolution: the calibration valid for a time and distance, and why."""

from __future__ import annotations

from typing import Any

from calib.model.store.resolution import Resolution
from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    distance_range,
    distances,
    fixed,
    general,
    moment_words,
    span,
)
from calib.report.certifications import certification_view
from calib.report.scalar import instant, number

_DAY_SECONDS = 86400.0


def resolution_view(found: Resolution) -> dict[str, Any]:
    """The calibration chosen, its certification, and the certifications not chosen."""
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


def resolution_blocks(view: View, *, explain: bool) -> list[Block]:
    """The calibration chosen; with ``explain`` also the certifications not chosen."""
    certification = view["certification"]
    certified = (
        f"certification {certification['number']} by {certification['recorded']['by']}: "
        f"{certification['reason']}"
    )
    reach = (
        f"{distance_range(certification)} mm, "
        f"extrapolation limit {general(certification['gap_mm'], 6)} mm"
    )
    blocks: list[Block] = [
        Facts(
            (
                ("Calibration", f"{view['calibration']}  {view['calibration_id'][:12]}"),
                ("Certified", certified),
                ("Valid", span(certification["from"], certification["to"])),
                ("Distances", reach),
                ("Derived at", distances(view["derived_at_mm"])),
                ("Last measured", f"{at_second(view['last_measured'])}, {_age(view['age_days'])}"),
                ("As known at", moment_words(view["known_at"])),
            )
        )
    ]
    if explain:
        blocks.append(
            Sentences("Accepted" if view["accepted"] else "Draft", tuple(view["acceptance"]))
        )
        rows = tuple(
            (
                NONE
                if one["certification"]["number"] is None
                else str(one["certification"]["number"]),
                one["certification"]["calibration"],
                span(one["certification"]["from"], one["certification"]["to"]),
                distance_range(one["certification"]),
                one["lost"],
            )
            for one in view["candidates"]
        )
        columns = ("number", "calibration", "valid", "distances mm", "reason")
        if rows:
            blocks.append(Table("Certifications not chosen", columns, rows, n_text=5))
    return blocks


def _age(days: float | None) -> str:
    if days is None:
        return NONE
    return f"{fixed(abs(days), 1)} days {'after' if days < 0.0 else 'before'} the data"
