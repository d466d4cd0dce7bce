"""The face of a detector in a figure: outlines of panels, scale bars, arrows and ellipses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from calib.model.base.arrays import Floats
from calib.report.blocks import View
from calib.report.figures.drawing import Mark
from calib.report.figures.style import (
    HATCHES,
    INK,
    MUTED,
    PANEL,
    WIDTH_INCHES,
    new_figure,
)

MOST_NUMBERED = 128
"""Panels of larger detectors have no numbers in figures; the pointer shows them."""
_LEGEND_INCHES = 0.5
_SIDE_INCHES = 0.1
_TALLEST_INCHES = 8.5
_ROUND = (1.0, 2.0, 5.0)


def face_figure(
    face: View,
    columns: int = 1,
    rows: int = 1,
    *,
    above_inches: float = 0.05,
    reach_mm: float = 0.0,
) -> tuple[Figure, Axes, Floats]:
    """A figure with room for copies of the face side by side, below two lines for the legend.

    ``above_inches`` is left free above each copy, ``reach_mm`` around it. Returns the figure, its
    axes in mm with y downwards, and (rows, columns, 2) mm by which each copy is displaced.
    """
    outline = np.asarray(face["outline_mm"], dtype=float)
    low, high = outline.min(axis=(0, 1)) - reach_mm, outline.max(axis=(0, 1)) + reach_mm
    extent = np.maximum(high - low, 1e-3)
    wide = extent[0] * (columns + 0.05 * (columns - 1))
    scale = min(
        (WIDTH_INCHES - 2 * _SIDE_INCHES) / wide,
        (_TALLEST_INCHES / rows - above_inches) / extent[1],
    )
    pitch = np.array([1.05 * extent[0], extent[1] + above_inches / scale])
    tall = rows * pitch[1] * scale + _SIDE_INCHES
    height = tall + _LEGEND_INCHES
    figure = new_figure(height)
    axes = figure.add_axes((0.0, 0.0, 1.0, tall / height))
    axes.set_axis_off()
    left = low[0] - 0.5 * (WIDTH_INCHES / scale - wide)
    top = low[1] - above_inches / scale
    axes.set_xlim(left, left + WIDTH_INCHES / scale)
    axes.set_ylim(top + tall / scale, top)
    place = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    return figure, axes, place * pitch


def draw_panels(
    axes: Axes,
    face: View,
    panels: Sequence[View],
    *,
    gid: str = "panels",
    offset: Floats | None = None,
    colours: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> dict[str, list[Mark]]:
    """Outlines of all panels, hatched by status; the marks of each collection."""
    outline = np.asarray(face["outline_mm"], dtype=float)
    outline = outline + (0.0 if offset is None else offset)
    marks = {}
    for status, hatch in HATCHES.items():
        chosen = [index for index, panel in enumerate(panels) if panel["status"] == status]
        if not chosen:
            continue
        fill = PANEL if colours is None else [colours[index] for index in chosen]
        collection = PolyCollection(
            list(outline[chosen]),
            facecolors=fill,
            edgecolors=INK,
            linewidths=0.4,
            hatch=hatch or None,
            clip_on=False,
        )
        collection.set_gid(f"{gid}-{status}")
        axes.add_collection(collection, autolim=False)
        marks[f"{gid}-{status}"] = [
            Mark(f"{gid}-{panels[index]['panel']}", "" if titles is None else titles[index])
            for index in chosen
        ]
    return marks


def number_panels(axes: Axes, face: View, panels: Sequence[View], *, corner: bool = True) -> None:
    """The number of each panel, in the corner of its outline."""
    if len(panels) > MOST_NUMBERED:
        return
    outline = np.asarray(face["outline_mm"], dtype=float)
    low, high = outline.min(axis=1), outline.max(axis=1)
    points = 5.5 if len(panels) > 30 else 7.0
    for panel, least, most in zip(panels, low, high, strict=True):
        x, y = least + 0.04 * (most - least).min() if corner else 0.5 * (least + most)
        axes.text(
            x,
            y,
            str(panel["panel"]),
            fontsize=points,
            va="top" if corner else "center",
            ha="left" if corner else "center",
            color=MUTED,
            clip_on=False,
        )


def rounded(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in _ROUND if step * power <= value * (1 + 1e-9)))


def arrow_shapes(tails: Floats, shifts: Floats, width: float) -> list[Floats]:
    """Polygons of arrows (n, 2) from tails by shifts; the fourth vertex is the tip."""
    shapes = []
    for tail, shift in zip(tails, shifts, strict=True):
        length = float(np.hypot(*shift))
        along = shift / length if length > 0.0 else np.array([1.0, 0.0])
        across = np.array([-along[1], along[0]])
        head = min(4.0 * width, 0.6 * length)
        neck = tail + along * (length - head)
        half, barb = 0.5 * width * across, 0.5 * head * across
        tip = tail + shift
        shapes.append(
            np.array(
                [tail + half, neck + half, neck + barb, tip, neck - barb, neck - half, tail - half]
            )
        )
    return shapes


def ellipse_shapes(centres: Floats, covariance: Floats, n_points: int = 24) -> list[Floats]:
    """Polygons of the ellipses x^T C^-1 x = 1 about (n, 2) centres, C of shape (n, 2, 2)."""
    angle = np.linspace(0.0, 2.0 * np.pi, n_points, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return list((axes @ circle).transpose(0, 2, 1) + centres[:, None, :])


def add_shapes(
    axes: Axes, shapes: list[Floats], gid: str, *, fill: str, edge: str = "none", width: float = 0.0
) -> None:
    """A collection of polygons."""
    collection = PolyCollection(
        shapes, facecolors=fill, edgecolors=edge, linewidths=width, clip_on=False
    )
    collection.set_gid(gid)
    axes.add_collection(collection, autolim=False)


def legend_text(figure: Figure, x_inches: float, line: int, text: str, colour: str = INK) -> None:
    """A line of text at the top of a figure."""
    height = float(figure.get_size_inches()[1])
    y = 1.0 - (0.14 + 0.2 * line) / height
    figure.text(x_inches / WIDTH_INCHES, y, text, va="center", color=colour, fontsize=8.0)


def status_words(panels: Sequence[View]) -> str:
    """The meaning of the hatchings that occur."""
    words = {"measured": "plain: measured", "sparse": "hatched: sparse"}
    words["unmeasured"] = "crossed: no data"
    found = {panel["status"] for panel in panels}
    return "; ".join(words[status] for status in HATCHES if status in found)


def scale_bar(axes: Axes, figure: Figure, x_inches: float, length: float, text: str) -> None:
    """A bar of a length in data units at the top of a figure, with its value."""
    width, height = (float(one) for one in figure.get_size_inches())
    per_inch = abs(axes.get_xlim()[1] - axes.get_xlim()[0]) / width
    y = 1.0 - 0.14 / height
    bar = figure.add_artist(
        _line(figure, (x_inches / width, (x_inches + length / per_inch) / width), (y, y))
    )
    bar.set_gid("scale-bar")
    legend_text(figure, x_inches + length / per_inch + 0.08, 0, text)


def _line(figure: Figure, x: tuple[float, float], y: tuple[float, float]) -> Line2D:
    return Line2D(x, y, transform=figure.transFigure, color=MUTED, linewidth=2.0)
