"""Two detectors whose panels lie on a grid, but in no order, and are turned in quarters."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.layout import Layout, PanelFrames, PanelGroup, PanelShape
from calib.model.store.record import DetectorRecord

STEP_MM = 90.0
WIDE_PLACES = (
    (3, 1), (0, 2), (4, 0), (1, 1), (2, 2), (0, 0), (3, 2), (1, 0), (4, 1), (2, 0), (0, 1), (3, 0),
    (2, 1), (4, 2),
)  # fmt: skip
"""(column, row) of panels 0 to 13; column 1 of row 2 is empty. Columns are counted along +x of the
root frame, rows along +y."""
WIDE_QUARTERS = (0, 1, 3, 2, 1, 0, 2, 3, 1, 0, 2, 1, 3, 0)
"""How many right angles each panel is turned about the normal, from x towards y."""
NARROW_PLACES = ((1, 0), (0, 1), (1, 1), (0, 0), (2, 0))
NARROW_QUARTERS = (2, 0, 1, 0, 3)
_SIZE_PX = (487, 195)
_PIXEL_MM = (0.172, 0.173)


def quarter_turn(quarters: int) -> Floats:
    """The rotation about the normal by right angles, from x towards y; its columns are the panel's
    fast, slow and normal axes."""
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters]
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=np.float64)


def wide() -> DetectorRecord:
    """Fourteen panels in groups, of which one has another size."""
    groups = (
        PanelGroup("left", 1, (1, 3, 5, 7, 10)),
        PanelGroup("right", 1, (0, 2, 4, 6, 8, 9, 11, 12, 13)),
        PanelGroup("right-top", 2, (2, 9, 11)),
    )
    names = tuple(f"m-{(5 * p + 3) % 14:02d}" for p in range(14))
    layout = _layout(names, WIDE_PLACES, WIDE_QUARTERS, groups)
    return DetectorRecord("W-14", layout, "Europe/Berlin", "wide, S/N 0014")


def narrow() -> DetectorRecord:
    """Five panels without groups."""
    names = ("east", "south", "centre", "west", "far")
    layout = _layout(names, NARROW_PLACES, NARROW_QUARTERS, ())
    return DetectorRecord("N-05", layout, "Asia/Tokyo", "")


def _layout(
    names: tuple[str, ...],
    places: tuple[tuple[int, int], ...],
    quarters: tuple[int, ...],
    groups: tuple[PanelGroup, ...],
) -> Layout:
    last = len(names) - 1
    shapes = [PanelShape(name, _SIZE_PX, _PIXEL_MM) for name in names]
    shapes[last] = PanelShape(names[last], (401, 211), (0.151, 0.157))
    rotation = np.array([quarter_turn(k) for k in quarters])
    half = np.array([(0.5 * w, 0.5 * h, 0.0) for w, h in (shape.size_mm for shape in shapes)])
    centre = np.array(
        [
            (STEP_MM * column + 0.37 * p, STEP_MM * row - 0.23 * p, 0.11 * p - 0.4)
            for p, (column, row) in enumerate(places)
        ]
    )
    origin = centre - np.array([turn @ step for turn, step in zip(rotation, half, strict=True)])
    return Layout(tuple(shapes), PanelFrames(rotation, origin.round(4)), groups)
