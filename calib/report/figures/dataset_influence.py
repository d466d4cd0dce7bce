"""How far the solution moves if each dataset is omitted, in standard uncertainties."""

from __future__ import annotations

import numpy as np

from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.style import FAINT, MAIN, MUTED, new_figure

_MOST_NAMED = 40
_ROW_INCHES = 0.22


def dataset_influence(view: View) -> Drawing:
    """Draw the shift of the solution without each dataset.

    ``view`` has ``datasets`` with ``place``, ``name``, ``rms_sigma``, ``largest_sigma``, ``words``.
    """
    datasets = view["datasets"]
    height = 0.8 + _ROW_INCHES * min(len(datasets), _MOST_NAMED)
    figure = new_figure(height)
    axes = figure.add_axes((0.3, 0.48 / height, 0.66, 1.0 - 0.8 / height))
    marks: dict[str, list[Mark]] = {}
    row = np.arange(len(datasets))
    for gid, key, marker, fill in (
        ("rms", "rms_sigma", "o", MAIN),
        ("largest", "largest_sigma", "D", "none"),
    ):
        drawn = axes.scatter(
            np.array([one[key] for one in datasets]),
            row,
            s=18.0,
            marker=marker,
            facecolors=fill,
            edgecolors=MAIN,
            linewidths=0.8,
            clip_on=False,
        )
        drawn.set_gid(gid)
        marks[gid] = [Mark(f"{gid}-{one['place']}", one["words"]) for one in datasets]
    if len(datasets) <= _MOST_NAMED:
        names = [one["name"] for one in datasets]
        axes.set_yticks(row, [name if len(name) <= 28 else f"{name[:27]}…" for name in names])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(datasets) - 0.5, -0.5)
    axes.set_xlim(0.0, 1.08 * max([1.0, *(one["largest_sigma"] for one in datasets)]))
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("shift of the solution without it (sigma)")
    top = 1.0 - 0.14 / height
    figure.text(0.3, top, "● rms of all panels   ◇ largest", color=MUTED, fontsize=8.0, va="center")
    return Drawing(figure, (axes,), marks)
