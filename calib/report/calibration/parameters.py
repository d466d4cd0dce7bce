"""Table columns for the six parameters of a panel or group of panels."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, View, micrometres

SHIFTS = ("dx_mm", "dy_mm", "dz_mm")
TURNS = ("rx_mrad", "ry_mrad", "rz_mrad")
SCALE = (1.0, 1.0, 1.0, 1e3, 1e3, 1e3)
_HEADINGS = {key: f"{key[:2]} um" for key in SHIFTS} | {key: f"{key[:2]} mrad" for key in TURNS}


def refined_keys(views: Sequence[View]) -> list[str]:
    """The parameters that any of them has refined."""
    return [
        key for key in (*SHIFTS, *TURNS) if any(view["sigma"][key] is not None for view in views)
    ]


def headings(keys: Sequence[str]) -> list[str]:
    """How these columns are called."""
    return [_HEADINGS[key] for key in keys]


def cells(view: View, keys: Sequence[str]) -> list[str]:
    """Values with one standard uncertainty in brackets."""
    return [_with_sigma(view, key) for key in keys]


def _with_sigma(view: View, key: str) -> str:
    value, sigma = view[key], view["sigma"][key]
    if sigma is None:
        return NONE
    if key in SHIFTS:
        return f"{micrometres(value)} ({1e3 * sigma:.1f})"
    return f"{value:+.3f} ({sigma:.3f})"
