"""Maps of one or more values of each panel as colours, each beside its standard uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, to_hex

from calib.model.base.arrays import Floats
from calib.report.blocks import View
from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.face import draw_panels, face_figure, legend_text, status_words
from calib.report.figures.style import DIVERGING, MUTED, SEQUENTIAL, WIDTH_INCHES, ink_on

_STEPS = 24
_MOST_PRINTED = 40
"""Panels of larger detectors have no values in figures; the pointer and the table show them."""
_BAR = 0.34
"""Length of a colour bar, in widths of the face."""


def panel_maps(view: View) -> Drawing:
    """Draw maps of values as colours of the panels.

    ``view`` has a ``face``, ``panels`` with number and status, and ``rows`` of ``maps``: key, title
    with unit, ``signed``, ``logarithmic``, ``digits``, ``values`` (None where there is none).
    """
    face, panels, rows = view["face"], view["panels"], view["rows"]
    figure, axes, places = face_figure(
        face, max(len(row) for row in rows), len(rows), above_inches=0.45
    )
    marks: dict[str, list[Mark]] = {}
    outline = np.asarray(face["outline_mm"], dtype=float)
    for row, line in zip(rows, places, strict=True):
        for one, place in zip(row, line, strict=False):
            marks.update(_map(axes, face, panels, one, place))
            _key(axes, one, outline, place)
    legend_text(figure, 0.1, 0, status_words(panels), MUTED)
    return Drawing(figure, (axes,), marks)


def _map(
    axes: Axes, face: View, panels: Sequence[View], one: View, place: Floats
) -> dict[str, list[Mark]]:
    values = [np.nan if value is None else float(value) for value in one["values"]]
    colours = _colours(one, np.array(values))
    titles = [
        f"Panel {panel['panel']}: {one['title']} {_text(one, value)}"
        for panel, value in zip(panels, one["values"], strict=True)
    ]
    marks = draw_panels(
        axes, face, panels, gid=one["key"], offset=place, colours=colours, titles=titles
    )
    if len(panels) <= _MOST_PRINTED:
        centre = np.asarray(face["centre_mm"], dtype=float) + place
        for (x, y), value, colour in zip(centre, one["values"], colours, strict=True):
            text = _text(one, value)
            style: dict[str, Any] = {
                "ha": "center",
                "va": "center",
                "fontsize": 6.0,
                "clip_on": False,
            }
            axes.text(x, y, text, color=ink_on(colour), **style)
    return marks


def _text(one: View, value: float | None) -> str:
    return "-" if value is None else f"{value:{'+' if one['signed'] else ''}.{one['digits']}f}"


def _limits(one: View) -> tuple[float, float]:
    values = np.array([value for value in one["values"] if value is not None], dtype=float)
    if one["signed"]:
        most = max(_usual(np.abs(values)), 1e-9)
        return -most, most
    least, most = float(values.min(initial=np.inf)), float(values.max(initial=0.0))
    if one["logarithmic"]:
        least = max(1.0, float(values[values > 0].min(initial=1.0)))
        return least, max(most, 10.0 * least)
    return min(least, 0.0), max(_usual(values), 1e-9)


def _usual(values: Floats) -> float:
    """The largest of positive values; if few are far above the others, a limit for the others."""
    if not len(values):
        return 0.0
    most, upper = float(values.max()), 1.5 * float(np.quantile(values, 0.9))
    return upper if most > 2.0 * upper > 0.0 else most


def _map_of(one: View) -> Colormap:
    return DIVERGING if one["signed"] else SEQUENTIAL


def _colours(one: View, values: Floats) -> list[str]:
    low, high = _limits(one)
    if one["logarithmic"]:
        share = np.log(np.maximum(values, low) / low) / np.log(high / low)
    else:
        share = (values - low) / (high - low)
    return [
        "#9a9da3" if np.isnan(part) else to_hex(colour)
        for part, colour in zip(
            share, _map_of(one)(np.clip(np.nan_to_num(share), 0.0, 1.0)), strict=True
        )
    ]


def _key(axes: Axes, one: View, outline: Floats, place: Floats) -> None:
    """The title of a map, and its colour bar with the ends of the scale."""
    low, high = outline.min(axis=(0, 1)) + place, outline.max(axis=(0, 1)) + place
    wide = high[0] - low[0]
    per_inch = abs(axes.get_xlim()[1] - axes.get_xlim()[0]) / WIDTH_INCHES
    top, thick = low[1] - 0.22 * per_inch, 0.09 * per_inch
    length = _BAR * wide
    left = high[0] - length
    edges = np.linspace(left, high[0], _STEPS + 1)
    boxes = [
        np.array([[a, top], [b, top], [b, top + thick], [a, top + thick]])
        for a, b in pairwise(edges)
    ]
    colours = _map_of(one)(np.linspace(0.0, 1.0, _STEPS))
    axes.add_collection(
        PolyCollection(boxes, facecolors=colours, edgecolors="none", clip_on=False), autolim=False
    )
    ends = _limits(one)
    above = top - 0.03 * per_inch
    small: dict[str, Any] = {"fontsize": 6.5, "va": "bottom", "clip_on": False}
    digits = 0 if one["logarithmic"] else one["digits"]
    values = [value for value in one["values"] if value is not None]
    beyond = max(values, default=0.0) > ends[1], min(values, default=0.0) < ends[0]
    above_words, below_words = ("≥ " if beyond[0] else ""), ("≤ " if beyond[1] else "")
    axes.text(left, above, f"{below_words}{ends[0]:.{digits}f}", ha="left", **small)
    axes.text(high[0], above, f"{above_words}{ends[1]:.{digits}f}", ha="right", **small)
    axes.text(
        low[0], top + thick, one["title"], ha="left", va="bottom", fontsize=8.0, clip_on=False
    )
