"""The result of a derivation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.record import CalibrationRecord, State, StoredCalibration
from calib.report.blocks import Block, Facts, View
from calib.report.calibration.findings import (
    common_facts,
    findings_blocks,
    head_view,
    record_view,
    title,
    verdict,
)
from calib.report.calibration.rejected import rejected_blocks
from calib.report.calibration.residuals import residual_table
from calib.report.scalar import number


def derived_view(
    record: CalibrationRecord,
    stored: StoredCalibration | None,
    *,
    new: bool,
    detector_registered: bool,
    freedom_reason: str,
    notices: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """The result of ``calib derive`` and ``calib combine``; ``stored`` is None in a dry run."""
    if stored is None:
        state = State.ACCEPTED if record.acceptance.accepted else State.DRAFT
        head = head_view(record, record.id, None, state)
    else:
        head = head_view(record, stored.id, stored.version, stored.state)
    return {
        "calibration": head,
        **record_view(record),
        "freedom_reason": freedom_reason,
        "stored": stored is not None,
        "new": new,
        "detector_registered": detector_registered,
        "notices": list(notices),
        "seconds": number(round(seconds, 3)),
    }


def derived_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """Facts and findings of a new calibration."""
    return [Facts(_facts(view)), *findings_blocks(view, all_panels=all_panels)]


def derived_summary(view: View) -> list[Block]:
    """The verdict, the residuals and the main facts of a derivation, on one screen."""
    name, *facts = _facts(view)
    return [
        Facts((name,)),
        verdict(view),
        residual_table(view),
        *rejected_blocks(view["misfits"]),
        Facts(tuple(facts)),
    ]


def _facts(view: View) -> tuple[tuple[str, str], ...]:
    head = view["calibration"]
    return (
        ("Calibration", title(head)),
        ("Freedom", f"{head['freedom']}: {view['freedom_reason']}"),
        *common_facts(view),
    )
