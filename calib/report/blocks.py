"""Blocks of a report, independent of how they are rendered: facts, tables, sentences, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calib.model.base.text import joined

View = Mapping[str, Any]
"""A mapping of plain values, printed by ``--json``; blocks are made from it."""
NONE = "-"
"""Shown where there is no value."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values, one per line."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, all of them text, under the heads of their columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    """Number of columns, from the left, that hold text; the others hold numbers."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """A title, which may be empty, and sentences, one per line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure to be drawn from a view; a reader without graphics gets its caption instead."""

    name: str
    """Which figure: the name of the function that draws it, such as ``panel_shifts``."""
    title: str
    caption: str
    """What the figure shows, in words; also its alternative text."""
    view: View
    """The mapping whose numbers it shows; nothing else is read for drawing."""


Block = Facts | Table | Sentences | Figure


def fixed(value: float | None, digits: int) -> str:
    """A number with this many decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def general(value: float | None, digits: int = 3) -> str:
    """A number with this many significant digits."""
    return NONE if value is None else f"{value:.{digits}g}"


def at_second(text: str | None) -> str:
    """``2026-03-01T09:30:00.25Z`` as ``2026-03-01 09:30:00 UTC``."""
    if text is None:
        return NONE
    zone = "UTC" if text.endswith("Z") else text[-6:]  # an offset only where UTC has no such year
    return f"{text[:10]} {text[11:19]} {zone}"


def moment_words(moment: View) -> str:
    """A position in the log, with the time of its entry."""
    if moment["at"] is None:
        return "before the first entry"
    return f"position {moment['position']}, {at_second(moment['at'])}"


def span(start: str | None, end: str | None) -> str:
    """A half-open interval of time; ``end`` None means until further notice."""
    return f"{at_second(start)} " + (
        "until further notice" if end is None else f"to {at_second(end)}"
    )


def distances(values_mm: Sequence[float | None]) -> str:
    """A list of distances in mm: ``150.0, 265.0 and 400.0 mm``."""
    return f"{joined([fixed(value, 1) for value in values_mm])} mm"


def distance_range(view: View) -> str:
    """The range of distances of a certification or change, in mm, without the unit."""
    return f"{general(view['min_distance_mm'], 6)} to {general(view['max_distance_mm'], 6)}"
