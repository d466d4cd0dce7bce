"""Headers of CBF images: mini-CBF of DECTRIS detectors, and full CBF (imgCIF).

The comments of ``_array_data.header_contents`` are read first, since both kinds have them; what
they do not state is taken from the categories of imgCIF.
"""

from __future__ import annotations

import re
from typing import Any

from calib.errors import FileFormatError
from calib.files.images import values
from calib.files.serial import serial_from
from calib.model.experiment.image_header import ImageHeader

MAGIC = b"###CBF:"
BINARY = b"\x0c\x1a\x04\xd5"
"""The four bytes before the pixels."""
_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
_CONTENTS = re.compile(r"^_array_data\.header_contents\s*\n;(.*?)^;", re.MULTILINE | re.DOTALL)
_DETECTOR = re.compile(r"^#\s*Detector:\s*(.+)$", re.MULTILINE)
_PIXEL = re.compile(rf"^#\s*Pixel_size:?\s*{_NUMBER}\s*(\w+)\s*x\s*{_NUMBER}\s*(\w+)", re.MULTILINE)
_SENSOR = re.compile(
    rf"^#\s*(\w+)\s+sensor,?\s+thickness:?\s*{_NUMBER}\s*(\w*)", re.MULTILINE | re.IGNORECASE
)
_DISTANCE = re.compile(rf"^#\s*Detector_distance:?\s*{_NUMBER}\s*(\w*)", re.MULTILINE)
_WAVELENGTH = re.compile(rf"^#\s*Wavelength:?\s*{_NUMBER}\s*(\w*)", re.MULTILINE)
_BEAM = re.compile(rf"^#\s*Beam_xy:?\s*\(?\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\)?", re.MULTILINE)
_TIME = re.compile(r"^#\s*(\S*\d:\d\S*:\d\S*|\S+\s\S*\d:\d\S*:\d\S*)\s*$", re.MULTILINE)
"""The line with two colons and at most two words."""
_FASTEST = re.compile(r"X-Binary-Size-Fastest-Dimension:\s*([0-9]+)")
_SECOND = re.compile(r"X-Binary-Size-Second-Dimension:\s*([0-9]+)")
_CATEGORIES = re.compile(r"^\s*_diffrn", re.MULTILINE)


def cbf_header(head: bytes, place: str) -> ImageHeader:
    """The header in the first bytes of a CBF image.

    Raises ``FileFormatError`` (``bad-image``) where they do not reach to the pixels, or state
    nothing about the detector.
    """
    end = head.find(BINARY)
    if end < 0:
        raise FileFormatError(
            "bad-image",
            "the header of this CBF image does not end, or is too long.",
            place=place,
            remedy="copy the image again from where it was taken.",
        )
    text = head[:end].decode("latin-1").replace("\r\n", "\n")
    contents = _CONTENTS.search(text)
    lines = text if contents is None else contents.group(1)
    stated = _comments(lines)
    if _CATEGORIES.search(text) is not None:
        from calib.files.images.imgcif import imgcif_values

        further = imgcif_values(text)
        stated = {key: stated.get(key) or further.get(key) for key in (*stated, *further)}
    fastest, second = _FASTEST.search(text), _SECOND.search(text)
    if fastest is not None and second is not None:
        stated["size_px"] = values.size_pair(fastest.group(1), second.group(1))
    model = values.words(stated.pop("model", None) or "")
    header = ImageHeader(
        model=model, serial=values.serial(serial_from(model)), **_without_none(stated)
    )
    if values.is_empty(header):
        raise FileFormatError(
            "bad-image",
            "the header of this CBF image states nothing about the detector.",
            place=place,
            remedy="give the serial number with --serial.",
        )
    return header


def _comments(text: str) -> dict[str, Any]:
    """The values in lines that begin with ``#``."""
    detector, pixel, sensor = _DETECTOR.search(text), _PIXEL.search(text), _SENSOR.search(text)
    distance, wavelength = _DISTANCE.search(text), _WAVELENGTH.search(text)
    beam, time = _BEAM.search(text), _TIME.search(text)
    found: dict[str, Any] = {"model": "" if detector is None else detector.group(1)}
    if pixel is not None:
        fast, fast_unit, slow, slow_unit = pixel.groups()
        found["pixel_mm"] = values.pixel_pair(
            values.length_mm(fast, fast_unit), values.length_mm(slow, slow_unit)
        )
    if sensor is not None:
        found["material"] = values.material(sensor.group(1))
        found["thickness_mm"] = values.thickness_mm(sensor.group(2), sensor.group(3))
    if distance is not None:
        found["distance_mm"] = values.distance_mm(*distance.groups())
    if wavelength is not None:
        found["wavelength_angstrom"] = values.wavelength_angstrom(*wavelength.groups())
    if beam is not None:
        found["beam_px"] = values.centre_pair(*beam.groups())
    if time is not None:
        found["taken"] = values.taken(time.group(1))
    return found


def _without_none(stated: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stated.items() if value is not None}
