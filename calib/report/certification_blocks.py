"""Certifications as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import Table, View, at_second, general, span


def certification_table(views: Sequence[View]) -> Table:
    """Certifications, withdrawn ones as well."""
    return Table(
        "Certifications",
        ("number", "calibration", "valid", "distances mm", "by", "recorded", "reason", "withdrawn"),
        tuple(
            (
                "-" if view["number"] is None else str(view["number"]),
                view["calibration"],
                span(view["from"], view["to"]),
                f"{general(view['min_distance_mm'], 6)} to {general(view['max_distance_mm'], 6)}",
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
        n_text=8,
    )
