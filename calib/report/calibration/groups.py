"""Motion of groups of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.report import GroupMotion
from calib.report.blocks import Block, Table, View
from calib.report.calibration.parameters import cells, headings, keyed, refined


def group_view(group: GroupMotion) -> dict[str, Any]:
    """A group's motion in mm and mrad; a sigma is null where the parameter is fixed."""
    return {
        "name": group.name,
        "level": group.level,
        "panels": list(group.panels),
        "n_reflections": group.n_reflections,
        **keyed(group.values),
        "sigma": keyed(group.sigma),
    }


def group_table(views: Sequence[View]) -> list[Block]:
    """Groups of panels, outer levels first; empty if the detector has none."""
    if not views:
        return []
    parameters = refined(views)
    rows = [
        (v["name"], str(v["level"]), str(len(v["panels"])), str(v["n_reflections"])) for v in views
    ]
    return [
        Table(
            "Groups of panels",
            ("group", "level", "panels", "reflections", *headings(parameters)),
            tuple((*row, *cells(v, parameters)) for row, v in zip(rows, views, strict=True)),
        )
    ]
