"""RMSD of each panel before and after the corrections."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.style import FAINT, MAIN, OTHER, new_figure

_STAGES = (("before", OTHER, "o", "none"), ("after", MAIN, "o", MAIN))
_HELD_OUT = (("held_out", MAIN, "D", "none"),)


def panel_rmsd(view: View) -> Drawing:
    """Draw the RMSD of each panel in x and in y.

    ``view`` has ``panels`` with number and ``x`` and ``y``, each with ``before``, ``after`` and
    ``held_out`` in px or None.
    """
    panels = view["panels"]
    figure = new_figure(4.0)
    marks: dict[str, list[Mark]] = {}
    most = max(
        (
            value
            for panel in panels
            for axis in "xy"
            for value in panel[axis].values()
            if value is not None
        ),
        default=1.0,
    )
    both = []
    for place, axis in enumerate("xy"):
        axes = figure.add_axes((0.08, 0.56 - 0.45 * place, 0.9, 0.36))
        both.append(axes)
        _strip(axes, panels, axis, marks)
        axes.set_ylim(0.0, 1.08 * most)
        axes.set_ylabel(f"RMSD {axis} (px)")
        axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_xlabel("panel")
    figure.text(0.08, 0.965, "○ before the corrections", color=OTHER, va="center", fontsize=8.0)
    figure.text(0.36, 0.965, "● after", color=MAIN, va="center", fontsize=8.0)
    figure.text(0.47, 0.965, "◇ after, held out", color=MAIN, va="center", fontsize=8.0)
    return Drawing(figure, tuple(both), marks)


def _strip(axes: Axes, panels: list[View], axis: str, marks: dict[str, list[Mark]]) -> None:
    area = 16.0 if len(panels) <= 80 else 6.0
    for stage, edge, marker, fill in (*_STAGES, *_HELD_OUT):
        shown = [panel for panel in panels if panel[axis][stage] is not None]
        if not shown:
            continue
        gid = f"{stage.replace('_', '-')}-{axis}"
        drawn = axes.scatter(
            np.array([panel["panel"] for panel in shown]),
            np.array([panel[axis][stage] for panel in shown]),
            s=area,
            marker=marker,
            facecolors=fill,
            edgecolors=edge,
            linewidths=0.8,
            clip_on=False,
        )
        drawn.set_gid(gid)
        marks[gid] = [Mark(f"{gid}-{panel['panel']}", panel["words"]) for panel in shown]
    axes.set_xlim(-0.7, max((panel["panel"] for panel in panels), default=0) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
