"""Style of all figures: sizes, fonts, colours and colour maps, and how matplotlib is set up.

Lines and text have colours that ``svg`` turns into classes, so that the style sheet of the page
chooses them for light and dark. Colours of data are the same in both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

INK = "#1b1c1d"
"""Text, and outlines of panels."""
MUTED = "#5c6066"
"""Axes, scale bars and other marks beside the data."""
FAINT = "#c9ccd1"
"""Grids."""
PANEL = "#eef0f3"
"""The area of a panel without a value."""
MAIN = "#0a5a9c"
"""The corrected detector: arrows, and residuals after correction."""
OTHER = "#b0460c"
"""The nominal detector: residuals before correction."""
CLASSES = {INK: "ink", MUTED: "muted", FAINT: "faint", PANEL: "panel", MAIN: "main", OTHER: "other"}
"""The class of each colour that depends on the theme."""
HATCHES = {"measured": "", "sparse": "////", "unmeasured": "xxxx"}
"""How the area of a panel is hatched, by its status."""
WIDTH_INCHES = 7.2
POINTS = 72
FONT_POINTS = 9.0

SEQUENTIAL: Colormap = mpl.colormaps["cividis"]
"""For amounts; also clear in grey, and to people with defective colour vision."""
DIVERGING: Colormap = LinearSegmentedColormap.from_list(
    "vik", ("#001261", "#1e6f9d", "#a5c8d6", "#ebe5e0", "#d9a989", "#a6491a", "#590008")
)
"""For signed values: blue below zero, brown above (after Crameri's vik)."""

_SETTINGS: dict[Any, Any] = {
    "font.size": FONT_POINTS,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "hatch.color": MUTED,
    "hatch.linewidth": 0.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "calib",
    "pdf.fonttype": 42,
    "path.simplify": False,
}
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its messages on fonts and caches


@contextmanager
def styled() -> Iterator[None]:
    """Within this context matplotlib draws in the style of reports, whatever the user has set."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def new_figure(height_inches: float) -> Figure:
    """An empty figure of the width of the page."""
    return Figure(figsize=(WIDTH_INCHES, height_inches), dpi=POINTS)


def ink_on(colour: object) -> str:
    """Black or white, whichever is easier to read on a colour of data."""
    text = to_hex(colour)  # type: ignore[arg-type]
    red, green, blue = (int(text[k : k + 2], 16) / 255.0 for k in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"
