"""Columns of how panels, and groups of panels, have moved."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Block, Table, View, micrometres
from calib.report.group_view import SHIFTS, TURNS

_HEADINGS = {key: f"{key[:2]} um" for key in SHIFTS} | {key: f"{key[:2]} mrad" for key in TURNS}


def motion_keys(views: Sequence[View]) -> list[str]:
    """The parameters that any of them has refined."""
    return [
        key for key in (*SHIFTS, *TURNS) if any(view["sigma"][key] is not None for view in views)
    ]


def motion_headings(keys: Sequence[str]) -> list[str]:
    """How these columns are called."""
    return [_HEADINGS[key] for key in keys]


def motion_cells(view: View, keys: Sequence[str]) -> list[str]:
    """Values with one standard uncertainty in brackets."""
    return [_with_sigma(view, key) for key in keys]


def group_table(views: Sequence[View]) -> list[Block]:
    """Groups of panels, outer ones first; nothing where there are none."""
    if not views:
        return []
    keys = motion_keys(views)
    rows = [
        (v["name"], str(v["level"]), str(len(v["panels"])), str(v["n_reflections"])) for v in views
    ]
    return [
        Table(
            "Groups of panels",
            ("group", "level", "panels", "reflections", *motion_headings(keys)),
            tuple((*row, *motion_cells(v, keys)) for row, v in zip(rows, views, strict=True)),
        )
    ]


def _with_sigma(view: View, key: str) -> str:
    value, sigma = view[key], view["sigma"][key]
    if sigma is None:
        return NONE
    if key in SHIFTS:
        return f"{micrometres(value)} ({1e3 * sigma:.1f})"
    return f"{value:+.3f} ({sigma:.3f})"
