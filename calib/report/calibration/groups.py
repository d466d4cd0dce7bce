"""Motion of groups of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.report import GroupMotion
from calib.report.blocks import Block, Table, View
from calib.report.calibration.parameters import SCALE, SHIFTS, TURNS, cells, headings, refined_keys
from calib.report.scalar import number


def group_view(group: GroupMotion) -> dict[str, Any]:
    """A group's motion in mm and mrad; a sigma is null where the value was held."""
    keys = (*SHIFTS, *TURNS)
    return {
        "name": group.name,
        "level": group.level,
        "panels": list(group.panels),
        "n_reflections": group.n_reflections,
        **{
            key: number(scale * value)
            for key, scale, value in zip(keys, SCALE, group.values, strict=True)
        },
        "sigma": {
            key: None if sigma is None else number(scale * sigma)
            for key, scale, sigma in zip(keys, SCALE, group.sigma, strict=True)
        },
    }


def group_table(views: Sequence[View]) -> list[Block]:
    """Groups of panels, outer ones first; nothing where there are none."""
    if not views:
        return []
    keys = refined_keys(views)
    rows = [
        (v["name"], str(v["level"]), str(len(v["panels"])), str(v["n_reflections"])) for v in views
    ]
    return [
        Table(
            "Groups of panels",
            ("group", "level", "panels", "reflections", *headings(keys)),
            tuple((*row, *cells(v, keys)) for row, v in zip(rows, views, strict=True)),
        )
    ]
