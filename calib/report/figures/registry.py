"""All figures of reports by name."""

from __future__ import annotations

from collections.abc import Callable

from calib.report.blocks import View
from calib.report.figures.dataset_influence import dataset_influence
from calib.report.figures.drawing import Drawing
from calib.report.figures.panel_maps import panel_maps
from calib.report.figures.panel_rejections import panel_rejections
from calib.report.figures.panel_rmsd import panel_rmsd
from calib.report.figures.panel_shifts import panel_shifts
from calib.report.figures.what_if import what_if

FIGURES: dict[str, Callable[[View], Drawing]] = {
    "dataset_influence": dataset_influence,
    "panel_maps": panel_maps,
    "panel_rejections": panel_rejections,
    "panel_rmsd": panel_rmsd,
    "panel_shifts": panel_shifts,
    "what_if": what_if,
}
"""The functions that draw, by the names in ``calib.report.blocks.Figure``."""
