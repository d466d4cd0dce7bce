"""How far the panels move under other choices of the derivation, beside the noise."""

from __future__ import annotations

import numpy as np

from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.style import FAINT, MAIN, MUTED, OTHER, new_figure

_ROW_INCHES = 0.24
_WIDEST = 34
"""Characters of a choice that fit beside the axes."""


def what_if(view: View) -> Drawing:
    """Draw the root mean square motion of the panels for each choice.

    ``view`` has ``rows`` with ``label``, ``in_plane_um``, ``normal_um`` (None where heights stay),
    ``named``, ``words``, and ``noise_um``, the uncertainty in the plane (a line) or None.
    """
    rows = view["rows"]
    height = 0.9 + _ROW_INCHES * len(rows)
    figure = new_figure(height)
    axes = figure.add_axes((0.36, 0.5 / height, 0.6, 1.0 - 0.9 / height))
    marks: dict[str, list[Mark]] = {}
    place = np.arange(len(rows))
    for gid, key, marker, filled in (
        ("plane", "in_plane_um", "o", True),
        ("normal", "normal_um", "D", False),
    ):
        shown = [number for number, one in enumerate(rows) if one[key] is not None]
        if not shown:
            continue
        colours = [OTHER if rows[number]["named"] else MAIN for number in shown]
        drawn = axes.scatter(
            np.array([rows[number][key] for number in shown]),
            np.array(shown),
            s=18.0,
            marker=marker,
            facecolors=colours if filled else "none",
            edgecolors=colours,
            linewidths=0.8,
            clip_on=False,
        )
        drawn.set_gid(gid)
        marks[gid] = [Mark(f"{gid}-{number}", rows[number]["words"]) for number in shown]
    if view["noise_um"] is not None:
        axes.axvline(view["noise_um"], color=MUTED, linewidth=0.8, linestyle="--").set_gid("noise")
    labels = [one["label"] for one in rows]
    axes.set_yticks(
        place, [one if len(one) <= _WIDEST else f"{one[: _WIDEST - 1]}…" for one in labels]
    )
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    farthest = max(max(one["in_plane_um"], one["normal_um"] or 0.0) for one in rows)
    axes.set_xlim(0.0, 1.08 * max(farthest, 2.0 * (view["noise_um"] or 0.5)))
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("motion of the panels (um rms)")
    top = 1.0 - 0.16 / height
    words = "● in the plane   ◇ along the normal   ┆ noise in the plane"
    figure.text(0.36, top, words, color=MUTED, fontsize=8.0, va="center")
    return Drawing(figure, (axes,), marks)
