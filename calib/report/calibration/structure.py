"""Displacements inside panels, and noise that is correlated in time."""

from __future__ import annotations

from math import sqrt
from typing import Any

from calib.model.result.report import NAMED_PX, Report, Structure
from calib.report.blocks import Block, Sentences, View, fixed
from calib.report.scalar import number

_NAMED_RATIO = 1.5
"""Of standard deviations between blocks of time to those of independent residuals."""
_MOST_NAMES = 6


def structure_view(found: Structure | None) -> dict[str, Any] | None:
    """Displacements inside panels in px, and ratios of variances; None if not recorded."""
    if found is None:
        return None
    return {
        "sizes_px": [number(one) for one in found.sizes_px],
        "margin_px": number(found.margin_px),
        "stretch_ppm": number(found.stretch_ppm),
        "panels": list(found.significant),
        "variance_ratios": [number(one) for one in found.excess],
    }


def structure_warnings(report: Report) -> list[dict[str, Any]]:
    """``panel-structure``, of the panel where it is largest, in px; ``pixel-size``, in ppm; and
    ``correlated-noise`` of each dataset where it widens the uncertainties, with the factor."""
    found = report.structure
    if found is None:
        return []
    warnings = []
    if found.significant or found.margin_px >= NAMED_PX:
        panels = found.significant or range(len(found.sizes_px))
        worst = max(panels, key=lambda panel: found.sizes_px[panel])
        largest = max(report.datasets, key=lambda use: use.n_reflections)
        size = max(found.sizes_px[worst], found.margin_px)
        warnings.append(_warning("panel-structure", largest.name, worst, size))
    if found.stretch_ppm:
        warnings.append(_warning("pixel-size", None, None, found.stretch_ppm))
    for use, ratio in zip(report.datasets, found.excess, strict=True):
        if ratio >= _NAMED_RATIO**2:
            warnings.append(_warning("correlated-noise", use.name, None, sqrt(ratio)))
    return warnings


def _warning(code: str, dataset: str | None, panel: int | None, size: float) -> dict[str, Any]:
    return {"code": code, "dataset": dataset, "panel": panel, "size": number(size)}


def structure_blocks(view: View | None) -> list[Block]:
    """What the uncertainties allow for; empty if there is nothing to name."""
    if view is None:
        return []
    lines = []
    panels, sizes = view["panels"], view["sizes_px"]
    if panels:
        worst = sorted(panels, key=lambda panel: -sizes[panel])[:_MOST_NAMES]
        named = ", ".join(f"{panel} ({fixed(sizes[panel], 2)} px)" for panel in worst)
        more = "" if len(panels) <= len(worst) else f" and {len(panels) - len(worst)} more"
        lines.append(f"Parts of a panel are displaced, beyond noise, on panels {named}{more}.")
    if view["margin_px"] >= NAMED_PX:
        lines.append(
            f"Positions at the edges of all panels are off by {fixed(view['margin_px'], 2)} px."
        )
    if lines:
        lines.append("A rigid panel has no position more exact than that; its sigma allows for it.")
    stretch = view["stretch_ppm"]
    if stretch:
        lines.append(
            f"Panels stand {fixed(abs(stretch), 0)} ppm further {'apart' if stretch > 0 else 'in'} "
            "than drawn, which their other displacements do not let expect: check the pixel size."
        )
    ratio = max(view["variance_ratios"], default=1.0)
    if ratio >= _NAMED_RATIO**2:
        lines.append(
            f"Residuals are correlated in time: sigma is {fixed(sqrt(ratio), 1)} times that of "
            "independent ones."
        )
    return (
        [Sentences("Beyond rigid panels and independent residuals", tuple(lines))] if lines else []
    )
