"""Summaries of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.summary import Summary
from calib.report.blocks import Table, View, at_second, fixed
from calib.report.calibration.residuals import both_px
from calib.report.scalar import instant, number


def summary_view(summary: Summary, size_bytes: int) -> dict[str, Any]:
    """What a summary contains: dataset, counts, chi-square, RMSD in px, size in bytes."""
    statement = summary.statement
    used = statement.used_on_panel.sum(axis=0)
    return {
        "id": summary.id,
        "dataset": statement.use.name,
        "sha256": list(statement.use.sha256),
        "serial": summary.serial,
        "layout_id": summary.layout_id,
        "code_version": summary.code_version,
        "data_taken": None if summary.started is None else instant(summary.started),
        "distance_mm": number(statement.use.distance_mm),
        "wavelength_angstrom": number(statement.use.wavelength_angstrom),
        "n_crystals": statement.use.n_crystals,
        "n_reflections": statement.use.n_reflections,
        "n_rejected": statement.use.n_rejected,
        "rejection": statement.kept,
        "n_on_panel": used.tolist(),
        "chi_square": number(statement.chi_square),
        "n_data": number(statement.n_data),
        "n_nuisance": statement.n_nuisance,
        "rmsd_px": both_px(statement.use.rmsd),
        "size_bytes": size_bytes,
    }


def summary_table(views: Sequence[View]) -> Table:
    """Summaries, one per line."""
    return Table(
        "",
        (
            "dataset",
            "summary",
            "data taken",
            "distance mm",
            "used",
            "panels",
            "RMSD x px",
            "RMSD y px",
            "kB",
        ),
        tuple(
            (
                view["dataset"],
                view["id"][:12],
                at_second(view["data_taken"]),
                fixed(view["distance_mm"], 1),
                str(view["n_reflections"]),
                str(sum(n > 0 for n in view["n_on_panel"])),
                fixed(view["rmsd_px"]["after"]["x"], 3),
                fixed(view["rmsd_px"]["after"]["y"], 3),
                fixed(view["size_bytes"] / 1000, 0),
            )
            for view in views
        ),
        n_text=3,
    )
