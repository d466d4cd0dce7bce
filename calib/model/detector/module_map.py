"""Where the modules of a flat detector are in its image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.errors import LayoutError
from calib.model.base.arrays import Floats, Ints, frozen


@dataclass(frozen=True, slots=True, eq=False)
class ModuleMap:
    """Rectangles of an image that are modules, in the order of their panels."""

    names: tuple[str, ...]
    """The names of the panels."""
    boxes_px: Ints
    """(n, 4) fast and slow index of the first pixel, and of the one after the last."""
    size_px: tuple[int, int]
    """(fast, slow) of the image."""

    def __post_init__(self) -> None:
        n = len(self.names)
        boxes = frozen(self.boxes_px, np.int64, (n, 4), "boxes of modules")
        object.__setattr__(self, "boxes_px", boxes)
        if not n:
            raise LayoutError("bad-layout", "the layout has no module.")
        first, last = boxes[:, :2], boxes[:, 2:]
        if (first < 0).any() or (last > np.array(self.size_px)).any() or (last <= first).any():
            raise LayoutError("bad-layout", "a module is empty or lies outside the image.")
        overlap = (first[:, None] < last[None]) & (first[None] < last[:, None])
        if (overlap.all(axis=2) & ~np.eye(n, dtype=np.bool_)).any():
            raise LayoutError("bad-layout", "two modules overlap.")

    def __len__(self) -> int:
        return len(self.names)

    def in_halves(self, dead_px: int) -> ModuleMap:
        """Each module as two panels, with ``dead_px`` dead columns between them.

        Sensors of CdTe are two pieces, which may be mounted differently.
        """
        boxes, names = [], []
        for name, (fast, slow, end, bottom) in zip(self.names, self.boxes_px.tolist(), strict=True):
            half = (end - fast - dead_px) // 2
            boxes += [(fast, slow, fast + half, bottom), (end - half, slow, end, bottom)]
            names += [f"{name}a", f"{name}b"]
        return ModuleMap(tuple(names), np.array(boxes), self.size_px)

    def at(self, px: Floats) -> Ints:
        """(n,) the module at each position (n, 2) in px; -1 in gaps and outside of the image."""
        with np.errstate(invalid="ignore"):
            inside = ((px >= 0.0) & (px < np.array(self.size_px))).all(axis=1)
        fast, slow = px[inside].astype(np.int64).T
        out = np.full(len(px), -1, dtype=np.int64)
        out[inside] = self.labels()[slow, fast]
        return out

    def labels(self) -> Ints:
        """(slow, fast) index of the module of each pixel; -1 in gaps."""
        labels = np.full(self.size_px[::-1], -1, dtype=np.int16)
        for index, (fast, slow, end, bottom) in enumerate(self.boxes_px.tolist()):
            labels[slow:bottom, fast:end] = index
        return labels


def grid_map(
    grid: tuple[int, int],
    module_px: tuple[int, int],
    gap_px: tuple[int, int],
    *,
    first: tuple[int, int] = (0, 0),
    columns: int | None = None,
) -> ModuleMap:
    """Modules on a grid (fast, slow) with constant gaps, numbered along the fast direction first.

    ``first`` is the first column and row of the grid in a larger one with ``columns`` columns, from
    which the modules take their numbers. Names are those of dxtbx, ``Panel0`` on.
    """
    column, row = (axis.ravel() for axis in np.meshgrid(np.arange(grid[0]), np.arange(grid[1])))
    pitch = np.array(module_px) + gap_px
    start = np.stack([column, row], axis=1) * pitch
    boxes = np.concatenate([start, start + module_px], axis=1)
    numbers = (row + first[1]) * (columns or grid[0]) + column + first[0]
    size = np.array(grid) * pitch - gap_px
    names = tuple(f"Panel{number}" for number in numbers.tolist())
    return ModuleMap(names, boxes, (int(size[0]), int(size[1])))
