"""A drawn figure, with what identifies and describes the data in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Mark(NamedTuple):
    """One element of a collection, such as the arrow of a panel."""

    name: str
    """Such as ``arrow-12``; unique within the figure."""
    title: str
    """What is shown where the pointer rests on it; empty for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A figure of matplotlib, with names and titles for the elements of its collections."""

    figure: Figure
    axes: tuple[Axes, ...]
    """The axes in whose units positions are read back from the SVG, from top to bottom."""
    marks: Mapping[str, Sequence[Mark]] = field(default_factory=dict)
    """By the gid of each collection: its elements, in the order in which they were added."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """Factors between lengths in the figure and values, such as ``um-per-mm``."""
