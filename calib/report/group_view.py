"""Groups of panels as scripts see them; docs/json.md says what every key means."""

from __future__ import annotations

from typing import Any

from calib.model.result.report import GroupMotion
from calib.report.scalar import number

SHIFTS = ("dx_mm", "dy_mm", "dz_mm")
TURNS = ("rx_mrad", "ry_mrad", "rz_mrad")
_SCALE = (1.0, 1.0, 1.0, 1e3, 1e3, 1e3)


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
            for key, scale, value in zip(keys, _SCALE, group.values, strict=True)
        },
        "sigma": {
            key: None if sigma is None else number(scale * sigma)
            for key, scale, sigma in zip(keys, _SCALE, group.sigma, strict=True)
        },
    }
