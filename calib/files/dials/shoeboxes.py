"""Shoeboxes of reflection tables: found in their column, moved to other panels, and cut.

The column is one stream of shoeboxes: panel (uint32), bounding box (6 int32: x0 x1 y0 y1 z0 z1), a
marker (uint8), and unless this is 0 the data (float32), the mask (int32 for marker 1, uint8 for
marker 2) and the background (float32) of each pixel, in the order z, y, x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.errors import FileFormatError
from calib.files.dials.refl_header import ColumnSpan
from calib.model.base.arrays import Bools, Ints

VALID, FOREGROUND = 1, 4 | 8
"""Bits of the mask: a pixel with a count; foreground, or strong."""
_HEAD, _MASK_BYTES = 29, {1: 4, 2: 1}
_CHUNK = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Shoeboxes:
    """The shoeboxes of a table, in its file."""

    payload: NDArray[np.uint8]
    """The column, mapped from the file."""
    start: Ints
    """(n + 1,) where each begins, and the end of the last."""
    bbox: Ints
    """(n, 6) x0 x1 y0 y1 z0 z1."""
    marker: Ints
    """(n,) 0 where a shoebox has no pixels."""

    @property
    def sizes(self) -> Ints:
        """(n,) bytes of each."""
        return np.diff(self.start)

    def reaching_out(self, rows: Ints, box_px: Ints, bits: int) -> Bools:
        """(k,) whether the shoeboxes of these rows have mask bits outside of ``box_px`` (k, 4)."""
        out = np.zeros(len(rows), dtype=np.bool_)
        for k, row in enumerate(rows.tolist()):
            mask = _mask(self.payload, int(self.start[row]), self.bbox[row], self.marker[row])
            if mask is not None:
                out[k] = bool((mask & _outside(self.bbox[row], box_px[k]) & bits).any())
        return out

    def moved(
        self, keep: Bools, panel: Ints, shift_px: Ints, cut_px: Ints | None
    ) -> Iterator[memoryview]:
        """The column of the rows ``keep``, on other panels, a part at a time.

        ``shift_px`` (n, 2) is added to fast and slow positions. Masks of valid pixels outside of
        ``cut_px`` (n, 4), given in the old positions, are cleared.
        """
        head = np.zeros((len(panel), 7), dtype="<i4")
        head[:, 0] = panel
        head[:, 1:] = self.bbox
        head[:, 1:3] += shift_px[:, :1]
        head[:, 3:5] += shift_px[:, 1:]
        first = 0
        while first < len(panel):
            begin = int(self.start[first])
            last = int(np.searchsorted(self.start, begin + _CHUNK, "right")) - 1
            last = min(max(last, first + 1), len(panel))
            buffer = np.array(self.payload[begin : int(self.start[last])])
            at = self.start[first:last] - begin
            buffer[at[:, None] + np.arange(28)] = head[first:last].view(np.uint8).reshape(-1, 28)
            if cut_px is not None:
                rows = np.arange(first, last)
                reach = keep[rows] & reaches_out(self.bbox[rows], cut_px[rows])
                for row in rows[reach].tolist():
                    mask = _mask(
                        buffer, int(self.start[row]) - begin, self.bbox[row], self.marker[row]
                    )
                    if mask is not None:
                        mask[_outside(self.bbox[row], cut_px[row]) & mask & VALID != 0] = 0
            view = buffer.data
            for a, b in _runs(keep[first:last]):
                yield view[int(at[a]) : int(self.start[first + b]) - begin]
            first = last


def read_shoeboxes(path: Path, span: ColumnSpan, bbox: Ints | None) -> Shoeboxes:
    """The shoeboxes of a table; ``bbox`` (n, 6) is its column of that name, where it has one.

    Raises ``FileFormatError`` where the column is not a stream of shoeboxes.
    """
    if not span.size:
        none = np.zeros(0, dtype=np.int64)
        return Shoeboxes(np.zeros(0, np.uint8), np.zeros(1, np.int64), none.reshape(0, 6), none)
    payload = np.memmap(path, dtype=np.uint8, mode="r", offset=span.offset, shape=(span.size,))
    found = None if bbox is None else _by_bbox(payload, bbox)
    found = _one_by_one(payload, span.count) if found is None else found
    if found is None:
        raise FileFormatError(
            "bad-column",
            "the shoeboxes cannot be read.",
            place=f"{path}, column shoebox",
            remedy="use calib split with --no-shoeboxes, or write the table again with DIALS.",
        )
    return found


def _by_bbox(payload: NDArray[np.uint8], bbox: Ints) -> Shoeboxes | None:
    """All shoeboxes at once, their sizes from the column bbox; None where they differ from it."""
    if len(payload) < _HEAD:
        return None
    marker = int(payload[_HEAD - 1])
    size = _HEAD + _n_pixels(bbox) * _bytes_per_pixel(marker)
    start = np.concatenate([[0], np.cumsum(size)])
    if (size < _HEAD).any() or start[-1] != len(payload):
        return None
    heads = payload[start[:-1, None] + np.arange(_HEAD)]
    own = np.ascontiguousarray(heads[:, 4:28]).view("<i4")
    if not (np.array_equal(own, bbox) and (heads[:, 28] == marker).all()):
        return None
    return Shoeboxes(payload, start, np.asarray(own, np.int64), np.full(len(bbox), marker))


def _one_by_one(payload: NDArray[np.uint8], count: int) -> Shoeboxes | None:
    """Shoeboxes of any kinds, each of which says where the next one begins."""
    start, boxes, markers, at = [0], [], [], 0
    for _ in range(count):
        head = bytes(payload[at : at + _HEAD])
        if len(head) < _HEAD or head[28] not in (0, 1, 2):
            return None
        box = np.frombuffer(head, "<i4", 6, 4).astype(np.int64)
        pixels = int(_n_pixels(box[None])[0])
        at += _HEAD + pixels * _bytes_per_pixel(head[28])
        if pixels < 0 or at > len(payload):
            return None
        start.append(at)
        boxes.append(box)
        markers.append(head[28])
    if at != len(payload):
        return None
    return Shoeboxes(
        payload, np.array(start), np.array(boxes).reshape(-1, 6), np.array(markers, dtype=np.int64)
    )


def _bytes_per_pixel(marker: int) -> int:
    return 8 + _MASK_BYTES[marker] if marker in _MASK_BYTES else 0


def _n_pixels(bbox: Ints) -> Ints:
    """(n,) -1 for boxes of negative or absurd extent."""
    extent = np.diff(bbox.astype(np.int64).reshape(-1, 3, 2), axis=2)[:, :, 0]
    sound = ((extent >= 0) & (extent < 1 << 20)).all(axis=1)
    return np.where(sound, extent.prod(axis=1), -1)


def reaches_out(bbox: Ints, box_px: Ints) -> Bools:
    """(n,) whether bounding boxes reach out of rectangles (n, 4) of the image."""
    low = (bbox[:, [0, 2]] < box_px[:, :2]).any(axis=1)
    return np.asarray(low | (bbox[:, [1, 3]] > box_px[:, 2:]).any(axis=1))


def _mask(buffer: NDArray[np.uint8], at: int, bbox: Ints, marker: Any) -> NDArray[Any] | None:
    """The mask (z, y, x) of the shoebox at an offset, as a view; None where it has no pixels."""
    n = int(_n_pixels(bbox[None])[0])
    if int(marker) not in _MASK_BYTES or n <= 0:
        return None
    width = _MASK_BYTES[int(marker)]
    begin = at + _HEAD + 4 * n
    mask = buffer[begin : begin + width * n].view("<i4" if width == 4 else np.uint8)
    x0, x1, y0, y1, z0, z1 = bbox.tolist()
    return mask.reshape(z1 - z0, y1 - y0, x1 - x0)


def _outside(bbox: Ints, box_px: Ints) -> NDArray[Any]:
    """(1, y, x) all bits set for the pixels of a bounding box outside of a rectangle, else 0."""
    x, y = np.arange(bbox[0], bbox[1]), np.arange(bbox[2], bbox[3])
    inside = ((y >= box_px[1]) & (y < box_px[3]))[:, None] & ((x >= box_px[0]) & (x < box_px[2]))
    return np.where(inside, 0, 255).astype(np.uint8)[None]


def _runs(keep: Bools) -> list[tuple[int, int]]:
    """First and end of each run of True."""
    steps = np.flatnonzero(np.diff(np.concatenate([[0], keep.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]
