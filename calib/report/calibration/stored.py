"""A stored calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.base.content import to_content
from calib.model.store.record import Certification, StoredCalibration
from calib.report.blocks import NONE, Block, Facts, Sentences, View, at_second
from calib.report.calibration.findings import (
    common_facts,
    findings_blocks,
    head_view,
    record_view,
    title,
)
from calib.report.certifications import certification_table, certification_view, stamp_view
from calib.report.scalar import instant


def stored_view(
    stored: StoredCalibration,
    certifications: Sequence[Certification],
    n_applications: int,
) -> dict[str, Any]:
    """A stored calibration: findings, options, origin, certifications and applications."""
    record = stored.record
    return {
        "calibration": head_view(record, stored.id, stored.version, stored.state),
        **record_view(record),
        "parameters": to_content(record.parameters),
        "code_version": record.code_version,
        "layout_id": record.layout_id,
        "stored": stamp_view(stored.stored),
        "data_taken": [instant(start) for start in stored.starts],
        "certifications": [certification_view(one) for one in certifications],
        "n_applications": n_applications,
    }


def stored_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """Facts, findings and certifications of a stored calibration."""
    head, stored = view["calibration"], view["stored"]
    taken = [at_second(time) for time in view["data_taken"]]
    options = ", ".join(f"{key}={_option(value)}" for key, value in view["parameters"].items())
    facts = [
        ("Calibration", title(head)),
        ("Freedom", head["freedom"]),
        *common_facts(view),
        ("Data taken", ", ".join(taken) or "unknown"),
        ("Stored", f"{at_second(stored['at'])} by {stored['by']} on {stored['host']}"),
        ("Made with", f"calib {view['code_version']}: {options}"),
        ("Applications", str(view["n_applications"])),
    ]
    certified = view["certifications"]
    return [
        Facts(tuple(facts)),
        *findings_blocks(view, all_panels=all_panels),
        certification_table(certified) if certified else Sentences("", ("Not certified.",)),
    ]


def _option(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else str(value)
