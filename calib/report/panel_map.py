"""Map of a detector as text: size and direction of each panel's motion."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import Layout
from calib.model.result.drift import Drift
from calib.report.blocks import NONE, Table

_ARROWS = "→↘↓↙←↖↑↗"
_MOST_COLUMNS = 16


def drift_map(layout: Layout, found: Drift) -> Table | None:
    """Rms motion of each panel's corners in um, with an arrow for its direction in the root frame,
    x to the right and y downwards; None where the panels form no grid."""
    place = _grid(layout)
    if place is None:
        return None
    column, row = place
    motion = np.einsum("nij,nj->ni", layout.frames.rotation, np.nan_to_num(found.shift[:, :3]))
    cells = [["" for _ in range(int(column.max()) + 1)] for _ in range(int(row.max()) + 1)]
    for panel in range(len(layout)):
        cells[row[panel]][column[panel]] = _cell(found, panel, motion[panel])
    return Table(
        "Rms motion of each panel's corners in um with its direction; * moved",
        ("", *(str(k) for k in range(len(cells[0])))),
        tuple((str(k), *line) for k, line in enumerate(cells)),
    )


def _cell(found: Drift, panel: int, motion_root_mm: Floats) -> str:
    if panel not in found.compared:
        return NONE
    eighth = round(float(np.arctan2(motion_root_mm[1], motion_root_mm[0])) / (np.pi / 4.0)) % 8
    star = "*" if panel in found.moved else ""
    return f"{_ARROWS[eighth]}{1e3 * found.motion_mm[panel]:.1f}{star}"


def _grid(layout: Layout) -> tuple[Ints, Ints] | None:
    """(n,) column and row of each panel, where each place is taken once at most."""
    near = 0.5 * layout.size_mm.min()
    places = []
    for axis in (0, 1):
        centre = layout.centre_root_mm[:, axis]
        order = np.argsort(centre, kind="stable")
        step = np.diff(centre[order], prepend=centre[order[0]]) > near
        index = np.empty(len(order), dtype=np.int64)
        index[order] = np.cumsum(step)
        places.append(index)
    column, row = places
    taken = set(zip(column.tolist(), row.tolist(), strict=True))
    wide = int(column.max(initial=0)) >= _MOST_COLUMNS
    return None if wide or len(taken) < len(layout) else (column, row)
