"""Reflections of each panel that were not used, as percentages of all of its reflections."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.face import add_shapes
from calib.report.figures.style import FAINT, MAIN, MUTED, OTHER, new_figure

_SERIES = (("rejected", OTHER, 0.0), ("flagged", MAIN, 0.4))


def panel_rejections(view: View) -> Drawing:
    """Draw bars of what was not used on each panel.

    ``view`` has ``panels`` with number, ``rejected`` and ``flagged`` in per cent, and ``words``.
    """
    panels = view["panels"]
    figure = new_figure(2.6)
    axes = figure.add_axes((0.08, 0.18, 0.9, 0.66))
    marks: dict[str, list[Mark]] = {}
    for series, colour, offset in _SERIES:
        shapes = [_bar(panel["panel"] + offset - 0.4, panel[series]) for panel in panels]
        add_shapes(axes, shapes, series, fill=colour)
        marks[series] = [Mark(f"{series}-{panel['panel']}", panel["words"]) for panel in panels]
    most = max((panel[series] for panel in panels for series, _, _ in _SERIES), default=1.0)
    axes.set_xlim(-0.7, max((panel["panel"] for panel in panels), default=0) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0.0, 1.08 * max(most, 1.0))
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("panel")
    axes.set_ylabel("of its reflections (%)")
    figure.text(0.08, 0.93, "left bars: rejected as outliers", color=OTHER, fontsize=8.0)
    figure.text(0.4, 0.93, "right bars: flagged in the files", color=MAIN, fontsize=8.0)
    figure.text(0.72, 0.93, "of used and unused ones together", color=MUTED, fontsize=8.0)
    return Drawing(figure, (axes,), marks)


def _bar(left: float, height: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    right = left + 0.38
    return np.array([[left, 0.0], [right, 0.0], [right, height], [left, height]])
