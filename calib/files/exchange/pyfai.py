"""A calibrated detector as a NeXus detector of pyFAI: the corners of every pixel.

Corners are (z, slow, fast) in m from the first corner of the image on the nominal plane, with z
along the beam; the distance and tilts of the detector belong into a PONI file. Pixels in gaps
stay at their nominal places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from calib.files.exchange.source import ExportSource
from calib.files.kinds import PYFAI
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import PanelFrames

if TYPE_CHECKING:
    from datetime import datetime

    import h5py

_ROWS = 64
"""Rows of an image that are written together: 13 MB for 4150 columns."""
_CORNERS = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
"""(fast, slow) of the corners of a pixel, in the order of pyFAI: along slow first."""


class PyfaiDetector:
    """An HDF5 file that pyFAI reads as a ``NexusDetector``."""

    kind = PYFAI
    needs_like = ""

    def hint(self, source: ExportSource, output: Path) -> str:
        """How to use the file."""
        del source
        return f"Use it with pyFAI.detector_factory({str(output)!r}), or name it in a PONI file."

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """A writer of the file."""
        return [(output, lambda target: _write(source, target))]


def _write(source: ExportSource, target: BinaryIO) -> None:
    import h5py

    detector = source.calibrated.detector
    offsets = source.offsets_px()
    pixel = np.array(detector.panels[0].pixel_mm)
    boxes = np.concatenate([offsets, offsets + [one.size_px for one in detector.panels]], axis=1)
    width, height = boxes[:, 2:].max(axis=0).tolist()
    frame = source.flat_frame()
    local = detector.frames.moved(frame.inverse())
    # The third axis of pyFAI is along the beam, whichever way the normal points.
    sign = 1.0 if frame.rotation[:, 2] @ -source.calibrated.beam.direction > 0.0 else -1.0
    with h5py.File(target, "w") as file:
        group = _group(file, source.recorded)
        group["API_VERSION"] = np.bytes_("1.1")
        group["IS_FLAT"], group["IS_CONTIGUOUS"], group["CORNERS"] = False, False, 4
        group["force_pixel"] = False
        group["pixel_size"] = 1e-3 * pixel[::-1]
        group["pixel_size"].attrs["unit"] = "m"
        group["max_shape"] = group["shape"] = np.array([height, width], dtype=np.int32)
        group["orientation"] = np.int32(3)
        group["calibration"] = np.bytes_(source.name.encode("ascii", "replace"))
        corners = group.create_dataset(
            "pixel_corners",
            (height, width, 4, 3),
            dtype=np.float32,
            chunks=(min(_ROWS, height), width, 4, 3),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        corners.attrs["interpretation"] = "vertex"
        mask = np.ones((height, width), dtype=np.int8)
        for x, y, end, bottom in boxes.tolist():
            mask[y:bottom, x:end] = 0
        group.create_dataset("mask", data=mask, compression="gzip", shuffle=True)
        for top in range(0, height, _ROWS):
            rows = np.arange(top, min(top + _ROWS, height))
            corners[top : top + len(rows)] = _block(rows, width, pixel, boxes, local, sign)


def _block(
    rows: Ints, width: int, pixel: Floats, boxes: Ints, local: PanelFrames, sign: float
) -> Floats:
    """(rows, width, 4, 3) the corners of some rows of pixels, in m."""
    fast, slow = np.meshgrid(np.arange(width), rows)
    at = np.stack([fast, slow], axis=-1)[:, :, None, :] + _CORNERS  # (rows, width, 4, 2)
    nominal = at * pixel
    out = np.zeros((*at.shape[:3], 3))
    out[..., 1], out[..., 2] = nominal[..., 1], nominal[..., 0]
    for k, (x, y, end, bottom) in enumerate(boxes.tolist()):
        own = slice(max(y - rows[0], 0), max(bottom - rows[0], 0)), slice(x, end)
        inside = (at[own] - [x, y]) * pixel
        places = inside @ local.rotation[k][:, :2].T + local.origin_mm[k]
        out[own] = places[..., [2, 1, 0]] * [sign, 1.0, 1.0]
    return np.asarray(1e-3 * out)


def _group(file: h5py.File, recorded: datetime) -> h5py.Group:
    """The group of the detector, with the classes by which pyFAI finds it."""
    file.attrs["format"] = "calib/pyfai/1"  # near the beginning of the file: see kinds.PYFAI
    file.attrs["default"] = "entry_0000"
    group = file
    for name, kind in (
        ("entry_0000", "NXentry"),
        ("pyFAI", "NXinstrument"),
        ("calibrated_detector", "NXdetector"),
    ):
        group = group.create_group(name)
        group.attrs["NX_class"] = kind
        if kind == "NXentry":
            group["start_time"] = np.bytes_(recorded.isoformat(timespec="seconds"))
            group["program_name"] = "calib"
            group["title"] = "calibrated detector"
    return group
