"""Reflection tables moved from one panel to its modules, and back.

Positions are those of the same pixels: px and bounding boxes change by whole pixels, mm by the
distance between the corners of panel and module, which lie in one plane. So the parallax of a spot
does not change, and the way back is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from calib.errors import FileFormatError
from calib.files.dials.ideal_positions import refuse_ideal_positions
from calib.files.dials.refl import (
    ELEMENTS,
    Column,
    Table,
    column_bytes,
    column_parts,
    read_table,
    write_columns,
)
from calib.files.dials.refl_header import TableIndex
from calib.files.dials.shoeboxes import (
    FOREGROUND,
    VALID,
    Shoeboxes,
    reaches_out,
    read_shoeboxes,
)
from calib.files.refusals import TOGETHER
from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.experiment import Detector
from calib.model.experiment.parallax import px_from_mm

_SHOEBOX = "Shoebox<>"
_POSITION = re.compile(r"xyz\w*\.(px|mm)(?!\.variance)")
_MM = "xyzobs.mm.value"
_PLACES = ("xyzobs.px.value", _MM, "xyzcal.px")
"""Columns that say on which module a spot is, the best first."""


@dataclass(frozen=True, slots=True, eq=False)
class MovedTable:
    """A table whose reflections are on other panels; ``write`` writes it."""

    path: Path
    index: TableIndex
    keep: Bools
    """(n,) the rows that are kept."""
    panel: Ints
    """(n,) their new panels."""
    shift_px: Ints
    """(n, 2) added to positions in px."""
    shift_mm: Floats
    """(n, 2) added to positions in mm; exactly a whole number of pixels."""
    cut_px: Ints | None
    """(n, 4) the part of the image outside of which masks are cleared; None for all of it."""
    shoeboxes: Shoeboxes | None
    n_in_gaps: int
    """Rows that are left out, since their spot is on no module."""
    n_across: int
    """Rows that are left out, since their spot is on several modules."""
    n_cut: int
    """Shoeboxes of which pixels on other modules are cleared."""
    left_out: tuple[str, ...]
    """Columns that cannot be moved."""

    @property
    def n_kept(self) -> int:
        """The rows of the new table."""
        return int(self.keep.sum())

    def write(self, target: BinaryIO) -> None:
        """Write the table to a file, a column at a time."""
        names = [name for name in self.index.columns if name not in self.left_out]
        typenames = {name: self.index.columns[name].typename for name in names}
        write_columns(target, self.index, self.n_kept, typenames, self._column)

    def _column(self, name: str) -> tuple[int, Iterator[bytes | memoryview]]:
        """The number of bytes of a column, and its bytes."""
        span = self.index.columns[name]
        if span.typename == _SHOEBOX and self.shoeboxes is not None:
            parts = self.shoeboxes.moved(self.keep, self.panel, self.shift_px, self.cut_px)
            return int(self.shoeboxes.sizes[self.keep].sum()), parts
        if span.typename not in ELEMENTS:  # kept whole, since no row is left out
            return span.size, column_parts(self.path, span)
        values = read_table(self.path, (name,)).array(name)[self.keep]
        payload = column_bytes(Column(span.typename, self._moved(name, values)), name)
        return len(payload), iter((payload,))

    def _moved(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """The values of the rows that are kept, on their new panels."""
        position = _POSITION.match(name)
        if name == "panel":
            return self.panel[self.keep].astype(values.dtype)
        if name == "bbox" and values.ndim == 2:
            values[:, 0:2] += self.shift_px[self.keep, :1].astype(values.dtype)
            values[:, 2:4] += self.shift_px[self.keep, 1:].astype(values.dtype)
        elif position is not None and values.ndim == 2 and values.dtype == np.float64:
            shift = self.shift_px if position.group(1) == "px" else self.shift_mm
            known = values.any(axis=1)  # three zeros: not observed, or not predicted
            values[known, :2] += shift[self.keep][known]
        return values


def split_table(
    path: Path,
    index: TableIndex,
    modules: Mapping[int, ModuleMap],
    detectors: Mapping[int, Detector],
    detector_of: Ints,
    *,
    with_shoeboxes: bool,
) -> MovedTable:
    """A table of reflections on one panel, moved to its modules.

    ``modules`` gives them by index of the detector, ``detector_of`` (n,) the detector of each row;
    rows of other detectors stay. Left out are spots in gaps, and those whose foreground (without
    shoeboxes: whose bounding box) is on several modules. Raises ``FileFormatError`` where the
    positions are missing or the panel is not 0.
    """
    refuse_ideal_positions(index, str(path))
    table = read_table(path, ("panel", "bbox", *_PLACES))
    n = table.nrows
    boxes = _shoeboxes(path, index, table) if with_shoeboxes else None
    on, whole = _panels(table), np.iinfo(np.int64).max
    box = np.tile(np.array([-whole, -whole, whole, whole]), (n, 1))
    keep, across = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    shift_px, shift_mm = np.zeros((n, 2), dtype=np.int64), np.zeros((n, 2))
    for number, own in modules.items():
        rows = np.flatnonzero(detector_of == number)
        _refuse_other_panels(on[rows], 1, path)
        place = _places(table, rows, detectors[number], str(path))
        module = own.at(place)
        keep[rows] = module >= 0
        on[rows] = module
        box[rows] = own.boxes_px[np.maximum(module, 0)]
        shift_px[rows] = -box[rows, :2]
        shift_mm[rows] = -(box[rows, :2] * np.array(detectors[number].panels[0].pixel_mm))
        across[_on_several(table, boxes, rows[module >= 0], box, own)] = True
    n_gaps, n_across = int((~keep).sum()), int((across & keep).sum())
    keep &= ~across
    left = tuple(
        name
        for name, span in index.columns.items()
        if (span.typename == _SHOEBOX and boxes is None)
        or (span.typename not in ELEMENTS and span.typename != _SHOEBOX and not keep.all())
    )
    n_cut = 0
    if boxes is not None:
        reach = np.flatnonzero(keep & reaches_out(boxes.bbox, box))
        n_cut = int(boxes.reaching_out(reach, box[reach], VALID).sum())
    return MovedTable(
        path, index, keep, on, shift_px, shift_mm, box, boxes, n_gaps, n_across, n_cut, left
    )


def merged_table(
    path: Path,
    index: TableIndex,
    first_px: Mapping[int, Ints],
    pixel_mm: Mapping[int, tuple[float, float]],
    detector_of: Ints,
) -> MovedTable:
    """A table of reflections on modules, moved to one panel.

    ``first_px`` gives by index of the detector the first pixel (p, 2) of each panel of the file.
    Raises ``FileFormatError`` where a reflection names another panel.
    """
    refuse_ideal_positions(index, str(path))
    table = read_table(path, ("panel", "bbox"))
    n = table.nrows
    boxes = _shoeboxes(path, index, table)
    on = _panels(table)
    shift_px, shift_mm = np.zeros((n, 2), dtype=np.int64), np.zeros((n, 2))
    for number, first in first_px.items():
        rows = np.flatnonzero(detector_of == number)
        _refuse_other_panels(on[rows], len(first), path)
        shift_px[rows] = first[on[rows]]
        shift_mm[rows] = shift_px[rows] * np.array(pixel_mm[number])
        on[rows] = 0
    everything = np.ones(n, dtype=np.bool_)
    return MovedTable(path, index, everything, on, shift_px, shift_mm, None, boxes, 0, 0, 0, ())


def _shoeboxes(path: Path, index: TableIndex, table: Table) -> Shoeboxes | None:
    span = index.columns.get("shoebox")
    if span is None or span.typename != _SHOEBOX:
        return None
    return read_shoeboxes(path, span, table.array("bbox") if "bbox" in table else None)


def _panels(table: Table) -> Ints:
    """(n,) the panel of each row; 0 without a column of panels."""
    if "panel" not in table:
        return np.zeros(table.nrows, dtype=np.int64)
    return table.array("panel").astype(np.int64)


def _refuse_other_panels(panel: Ints, n_panels: int, path: Path) -> None:
    """Raise ``FileFormatError`` where a reflection is on a panel that the detector lacks."""
    if len(panel) and (panel.min() < 0 or panel.max() >= n_panels):
        has = "one panel" if n_panels == 1 else f"{n_panels} panels"
        raise FileFormatError(
            "panel-out-of-range",
            f"a reflection names panel {int(panel.max())}, but the detector has {has}.",
            place=f"{path}, column panel",
            remedy=TOGETHER,
        )


def _places(table: Table, rows: Ints, detector: Detector, place: str) -> Floats:
    """(k, 2) the position in px of each row: observed, else predicted."""
    out = np.full((len(rows), 2), np.nan)
    for name in _PLACES:
        lost = np.flatnonzero(np.isnan(out[:, 0]))
        if not len(lost) or name not in table:
            continue
        found = table.array(name)[rows[lost]]
        known = np.isfinite(found).all(axis=1) & found.any(axis=1) & (found < 1e5).all(axis=1)
        at, lost = found[known, :2], lost[known]
        if name == _MM:
            at = px_from_mm(at, np.zeros(len(lost), dtype=np.int64), detector)
        out[lost] = at
    if not any(name in table for name in _PLACES):
        raise FileFormatError(
            "missing-column",
            "there is no column with positions, expected xyzobs.px.value or xyzobs.mm.value.",
            place=place,
            remedy="find spots with dials.find_spots, and give the table that it writes.",
        )
    return out


def _on_several(
    table: Table, boxes: Shoeboxes | None, rows: Ints, box: Ints, modules: ModuleMap
) -> Ints:
    """Those of some rows whose spots are on several modules."""
    if "bbox" not in table:
        return rows[:0]
    bbox = table.array("bbox").astype(np.int64)
    rows = rows[reaches_out(bbox[rows], box[rows])]
    touched = np.zeros(len(rows), dtype=np.int64)
    for fast, slow, end, bottom in modules.boxes_px.tolist():
        x0, x1, y0, y1 = bbox[rows, :4].T
        touched += (x0 < end) & (x1 > fast) & (y0 < bottom) & (y1 > slow)
    rows = rows[touched > 1]
    if boxes is not None:
        with_pixels = boxes.marker[rows] != 0
        reach = boxes.reaching_out(rows, box[rows], FOREGROUND)
        rows = rows[reach | ~with_pixels]
    return rows
