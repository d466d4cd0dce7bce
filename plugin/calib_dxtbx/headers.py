"""The serial number of the detector and the time of an image, from its header."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

_SERIAL = re.compile(r"\bS/N[ :]*([A-Za-z0-9][A-Za-z0-9._/-]*)", re.IGNORECASE)
_HEAD = 65536
_TIMES = (
    "entry/start_time",
    "entry/instrument/detector/detectorSpecific/data_collection_date",
)
_HDF5 = b"\x89HDF"


def serial_and_time(image: Any) -> tuple[str, datetime | float]:
    """Of an image: serial number, empty where unknown, and time: with its offset, naive in local
    time, or the epoch of its scan (0 where unknown)."""
    with image.open_file(image.get_image_file()) as file:
        head = file.read(_HEAD)
    if isinstance(head, str):
        head = head.encode("latin-1", "replace")
    if head.startswith(_HDF5):
        return _of_hdf5(image.get_image_file())
    found = _SERIAL.search(head.decode("latin-1"))
    return (found.group(1).rstrip("./-") if found else ""), _epoch(image)


def _epoch(image: Any) -> float:
    scan = image.get_scan()
    epochs = () if scan is None else scan.get_epochs()
    return float(epochs[0]) if len(epochs) else 0.0


def _of_hdf5(path: str) -> tuple[str, datetime | float]:
    import h5py

    with h5py.File(path, "r") as file:
        detector = file["entry/instrument/detector"]
        named = [key for key in ("serial_number", "detector_number") if key in detector]
        serial = _text(detector[named[0]][()]) if named else ""
        for place in _TIMES:
            if place in file:
                text = _text(file[place][()]).replace("Z", "+00:00")
                return serial, datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return serial, 0.0


def _text(value: Any) -> str:
    if getattr(value, "shape", ()) and len(value) == 1:
        value = value[0]
    return value.decode() if isinstance(value, bytes) else str(value)
