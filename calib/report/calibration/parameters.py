"""Table columns and JSON keys for the parameters of a panel or group of panels.

Their names, units and factors are in ``calib.model.detector.correction.PANEL_PARAMETERS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calib.model.detector.correction import PANEL_PARAMETERS, PanelParameter
from calib.report.blocks import NONE, View
from calib.report.scalar import number


def keyed(values: Iterable[float | None]) -> dict[str, float | None]:
    """Values (mm, rad) of all parameters under their JSON keys (mm, mrad)."""
    pairs = zip(PANEL_PARAMETERS, values, strict=True)
    return {
        one.key: None if value is None else number(one.key_factor * value) for one, value in pairs
    }


def refined(views: Sequence[View]) -> list[PanelParameter]:
    """The parameters that have a standard uncertainty in at least one of the views."""
    return [
        one for one in PANEL_PARAMETERS if any(view["sigma"][one.key] is not None for view in views)
    ]


def headings(parameters: Iterable[PanelParameter]) -> list[str]:
    """Heads of the columns, each with its unit."""
    return [one.heading for one in parameters]


def cells(
    view: View, parameters: Iterable[PanelParameter], *, with_fixed: bool = False
) -> list[str]:
    """Values with one standard uncertainty in brackets; ``with_fixed`` also values without one."""
    return [_cell(one, view, with_fixed=with_fixed) for one in parameters]


def _cell(parameter: PanelParameter, view: View, *, with_fixed: bool) -> str:
    value, sigma = view[parameter.key], view["sigma"][parameter.key]
    factor, digits = parameter.shown_factor, parameter.digits
    if value is None or (sigma is None and not with_fixed):
        return NONE
    if sigma is None:
        return f"{factor * value:+.{digits}f} (fixed)"
    return f"{factor * value:+.{digits}f} ({factor * sigma:.{digits}f})"
