"""Map of the panels with their in-plane shifts as arrows, with 95 % ellipses at the tips."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.face import (
    add_shapes,
    arrow_shapes,
    draw_panels,
    ellipse_shapes,
    face_figure,
    legend_text,
    number_panels,
    rounded,
    scale_bar,
    status_words,
)
from calib.report.figures.style import INK, MAIN, MUTED, POINTS

_LONGEST = 0.9
"""Of a large arrow, in widths of a panel."""
_95_PERCENT = -2.0 * np.log(0.05)
"""Chi-square of two degrees of freedom."""


def panel_shifts(view: View) -> Drawing:
    """Draw a map of the panels with their in-plane shifts.

    ``view`` has a ``face``, and ``panels`` with number, status, ``shift_um`` (x, y on the face),
    ``covariance_um2`` (2, 2), and ``words``.
    """
    face, panels = view["face"], view["panels"]
    outline = np.asarray(face["outline_mm"], dtype=float)
    centre = np.asarray(face["centre_mm"], dtype=float)
    shift = np.array([panel["shift_um"] for panel in panels])
    size = float(np.median((outline.max(axis=1) - outline.min(axis=1)).min(axis=1)))
    longest = max(float(np.quantile(np.hypot(*shift.T), 0.95)), 1e-3)
    um_per_mm = longest / (_LONGEST * size)
    tips = centre + shift / um_per_mm
    figure, axes, _ = face_figure(face, reach_mm=_reach(outline, tips, size))
    marks = draw_panels(axes, face, panels, titles=[panel["words"] for panel in panels])
    number_panels(axes, face, panels)
    known = [k for k, panel in enumerate(panels) if panel["status"] != "unmeasured"]
    if known:
        covariance = np.array([panels[k]["covariance_um2"] for k in known])
        ellipses = ellipse_shapes(tips[known], covariance * _95_PERCENT / um_per_mm**2)
        add_shapes(axes, ellipses, "ellipses", fill="none", edge=INK, width=0.6)
        marks["ellipses"] = [Mark(f"ellipse-{panels[k]['panel']}", "") for k in known]
    width = float(axes.get_xlim()[1] - axes.get_xlim()[0]) / figure.get_size_inches()[0] / POINTS
    add_shapes(axes, arrow_shapes(centre, shift / um_per_mm, 1.2 * width), "arrows", fill=MAIN)
    marks["arrows"] = [Mark(f"arrow-{panel['panel']}", panel["words"]) for panel in panels]
    length = rounded(longest)
    scale_bar(axes, figure, 0.1, length / um_per_mm, f"{length:g} um; ellipses: 95 % confidence")
    legend_text(figure, 0.1, 1, status_words(panels), MUTED)
    return Drawing(figure, (axes,), marks, {"um-per-mm": um_per_mm})


def _reach(outline: Floats, tips: Floats, size: float) -> float:
    """How far arrows reach beyond the panels, in mm; one panel at most."""
    low, high = outline.min(axis=(0, 1)), outline.max(axis=(0, 1))
    return float(np.clip(max((low - tips).max(), (tips - high).max()) + 0.2 * size, 0.0, size))
