"""Calibrations, one per line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.record import CalibrationLine
from calib.report.blocks import Table, View, at_second, distances
from calib.report.certifications import stamp_view
from calib.report.scalar import number


def line_view(line: CalibrationLine) -> dict[str, Any]:
    """One calibration of a list."""
    return {
        "calibration": f"{line.serial}:{line.version}",
        "id": line.id,
        "version": line.version,
        "serial": line.serial,
        "distances_mm": [number(distance) for distance in line.distances_mm],
        "freedom": line.freedom,
        "state": line.state.value,
        "n_reflections": line.n_reflections,
        "stored": stamp_view(line.stored),
    }


def list_data(views: Sequence[View]) -> Table:
    """Calibrations with all values in full, for a spreadsheet."""
    columns = ("calibration", "id", "state", "freedom", "n_reflections")
    return Table(
        "",
        (*columns, "stored_at", "stored_by", "distances_mm"),
        tuple(
            (
                *(str(view[column]) for column in columns),
                view["stored"]["at"],
                view["stored"]["by"],
                " ".join(str(distance) for distance in view["distances_mm"]),
            )
            for view in views
        ),
        n_text=8,
    )


def list_table(views: Sequence[View]) -> Table:
    """Calibrations, one per line."""
    return Table(
        "",
        ("calibration", "id", "state", "freedom", "stored", "by", "distances", "reflections"),
        tuple(
            (
                view["calibration"],
                view["id"][:12],
                view["state"],
                view["freedom"],
                at_second(view["stored"]["at"]),
                view["stored"]["by"],
                distances(view["distances_mm"]),
                str(view["n_reflections"]),
            )
            for view in views
        ),
        n_text=6,
    )
