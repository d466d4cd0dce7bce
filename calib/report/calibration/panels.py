"""Corrections, residuals and counts of each panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.record import CalibrationRecord
from calib.report.blocks import Block, Sentences, Table, View
from calib.report.calibration.parameters import cells, headings, refined
from calib.report.calibration.residuals import counts, median_abs_px, rmsd_px

_FEW_PANELS = 12
"""Detectors of up to this many panels are always shown in full."""


def panel_views(record: CalibrationRecord) -> list[dict[str, Any]]:
    """One mapping per panel: corrections in mm and mrad, counts, residuals in px."""
    report = record.report
    rows = record.estimate.panel_rows(record.panel_names)
    return [
        {
            **row,
            "n_rejected": _at(report.rejected_on_panel, index),
            "n_flagged": _at(report.flagged_on_panel, index),
            "n_held_out": counts(fit)["held_out"],
            "rmsd_px": rmsd_px(fit),
            "median_abs_px": median_abs_px(fit),
        }
        for index, (row, fit) in enumerate(zip(rows, report.panels, strict=True))
    ]


def _at(counts: Sequence[int], index: int) -> int | None:
    return counts[index] if index < len(counts) else None


def panel_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """All panels; of detectors with many, only sparse ones unless ``all_panels`` is set."""
    panels = view["panels"]
    whole = all_panels or len(panels) <= _FEW_PANELS
    shown = [panel for panel in panels if whole or panel["status"] == "sparse"]
    parameters = refined(panels)
    blocks: list[Block] = []
    if shown:
        blocks.append(
            Table(
                "Panels" if whole else "Sparse panels",
                ("panel", "name", "status", "reflections", *headings(parameters)),
                tuple(
                    (
                        str(panel["panel"]),
                        panel["name"],
                        panel["status"],
                        str(panel["n_reflections"]),
                        *cells(panel, parameters),
                    )
                    for panel in shown
                ),
                n_text=3,
            )
        )
    lines = []
    unmeasured = [panel["panel"] for panel in panels if panel["status"] == "unmeasured"]
    if unmeasured and not whole:
        lines.append(f"Without data, following the rigid-body average: {_ranges(unmeasured)}.")
    if len(shown) < len(panels):
        lines.append("Use --panels to list every panel.")
    return [*blocks, Sentences("", tuple(lines))] if lines else blocks


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as ranges: ``0-15, 18, 20-39``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
