"""Consistency of the corrections found at different detector distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.report import Disagreement
from calib.report.blocks import Block, Sentences, View, fixed, general
from calib.report.scalar import number


def disagreement_view(found: Disagreement) -> dict[str, Any]:
    """Two distances compared: chi-square of all panels, p-values of each panel."""
    return {
        "distances_mm": [number(distance) for distance in found.distances_mm],
        "chi_square": number(found.chi_square),
        "degrees_of_freedom": found.degrees_of_freedom,
        "p_value": number(found.p_value),
        "panel_p_values": [number(value) for value in found.panel_p_values],
    }


def disagreement_blocks(views: Sequence[View]) -> list[Block]:
    """Distances compared in pairs; at a small p-value no common corrections describe both."""
    if not views:
        return []
    lines = []
    for view in views:
        one, other = (fixed(distance, 0) for distance in view["distances_mm"])
        worst = min(range(len(view["panel_p_values"])), key=view["panel_p_values"].__getitem__)
        lines.append(
            f"{one} and {other} mm: chi-square {fixed(view['chi_square'], 0)} for "
            f"{view['degrees_of_freedom']} degrees of freedom, p = {general(view['p_value'], 2)}; "
            f"most discrepant panel: {worst}, p = {general(view['panel_p_values'][worst], 2)}"
        )
    return [Sentences("Agreement between distances", tuple(lines))]
