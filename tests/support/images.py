"""Images with headers as detectors write them, and few pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

BINARY = b"\x0c\x1a\x04\xd5"
SECTION = """_array_data.data
;
--CIF-BINARY-FORMAT-SECTION--
Content-Type: application/octet-stream;
     conversions="x-CBF_BYTE_OFFSET"
Content-Transfer-Encoding: BINARY
X-Binary-Size: 4
X-Binary-ID: 1
X-Binary-Element-Type: "signed 32-bit integer"
X-Binary-Element-Byte-Order: LITTLE_ENDIAN
X-Binary-Number-of-Elements: {n}
X-Binary-Size-Fastest-Dimension: {fast}
X-Binary-Size-Second-Dimension: {slow}
X-Binary-Size-Padding: 4095

"""
LINES = """# Detector: {model}
# {time}
# Pixel_size {pixel} m x {pixel} m
# {sensor} sensor, thickness {thickness} m
# Exposure_time 0.0190000 s
# Image_path: /ramdisk/thaumatin/
# Wavelength {wavelength} A
# Detector_distance {distance} m
# Beam_xy ({beam}) pixels
"""
HEADER = {
    "model": "PILATUS 300K, S/N 3-0999",
    "time": "2026-03-01T09:00:00.250",
    "pixel": "172e-6",
    "sensor": "Silicon",
    "thickness": "0.000320",
    "wavelength": "0.97625",
    "distance": "0.20000",
    "beam": "240.50, 310.25",
}
CATEGORIES = """
_diffrn.id DS1
loop_
_diffrn_detector.diffrn_id
_diffrn_detector.id
_diffrn_detector.type
_diffrn_detector.details
 DS1 DETECTOR 'PILATUS 300K' 'PILATUS 300K, S/N 3-0999'
_diffrn_radiation_wavelength.id 1
_diffrn_radiation_wavelength.wavelength 0.97625
loop_
_axis.id
_axis.type
_axis.equipment
_axis.depends_on
_axis.vector[1] _axis.vector[2] _axis.vector[3]
 OMEGA rotation goniometer . 1 0 0
 DETECTOR_Z translation detector . 0 0 -1
 ELEMENT_X translation detector DETECTOR_Z 1 0 0
loop_
_diffrn_scan_frame_axis.frame_id
_diffrn_scan_frame_axis.axis_id
_diffrn_scan_frame_axis.angle
_diffrn_scan_frame_axis.displacement
 FRAME1 OMEGA 0.0 0.0
 FRAME1 DETECTOR_Z 0.0 200.0
loop_
_array_structure_list_axis.axis_set_id
_array_structure_list_axis.displacement_increment
 ELEMENT_X 0.172
_diffrn_scan_frame.date 2026-03-01T09:00:00.250
"""


def mini_cbf(**stated: str) -> bytes:
    """A mini-CBF image of a PILATUS 300K, with other values ``stated``."""
    lines = LINES.format(**(HEADER | stated))
    head = (
        "###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors\n\ndata_image\n\n"
        f'_array_data.header_convention "PILATUS_1.2"\n_array_data.header_contents\n;\n{lines};\n\n'
    )
    return (head + _section((487, 619))).encode() + BINARY + bytes(4)


def full_cbf() -> bytes:
    """A full CBF (imgCIF) image without comments."""
    head = f"###CBF: VERSION 1.5\n\ndata_image\n{CATEGORIES}\n"
    return (head + _section((487, 619))).encode() + BINARY + bytes(4)


def _section(size_px: tuple[int, int]) -> str:
    fast, slow = size_px
    return SECTION.format(fast=fast, slow=slow, n=fast * slow)


def master(path: Path, **stated: Any) -> Path:
    """An NXmx master of an EIGER2 4M, with other values ``stated`` by their paths below
    ``/entry``; None removes one."""
    values: dict[str, Any] = {
        "start_time": "2026-03-01T09:00:00Z",
        "sample/beam/incident_wavelength": (0.9762, "angstrom"),
        "instrument/detector/description": "Dectris EIGER2 Si 4M",
        "instrument/detector/serial_number": "E-08-0999",
        "instrument/detector/sensor_material": "Si",
        "instrument/detector/sensor_thickness": (4.5e-4, "m"),
        "instrument/detector/distance": (0.2, "m"),
        "instrument/detector/x_pixel_size": (7.5e-5, "m"),
        "instrument/detector/y_pixel_size": (7.5e-5, "m"),
        "instrument/detector/beam_center_x": (1034.5, "pixel"),
        "instrument/detector/beam_center_y": (1081.25, "pixel"),
        "instrument/detector/detectorSpecific/x_pixels_in_detector": 2068,
        "instrument/detector/detectorSpecific/y_pixels_in_detector": 2162,
    }
    values.update({key.replace("__", "/"): value for key, value in stated.items()})
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if value is None:
                continue
            number, unit = value if isinstance(value, tuple) else (value, "")
            file[f"entry/{name}"] = number
            if unit:
                file[f"entry/{name}"].attrs["units"] = unit
    return path


def eiger1(path: Path, rows: int = 4, columns: int = 2) -> Path:
    """A master of the first EIGER firmware, which describes its half modules."""
    specific = "instrument/detector/detectorSpecific"
    halves: dict[str, Any] = {}
    for row in range(2 * rows):
        for column in range(columns):
            name = f"{specific}/detectorModule_{len(halves) // 2:03}"
            origin = [column * 1040, (row // 2) * 551 + (row % 2) * 257]
            halves[f"{name}/data_origin"] = np.array(origin)
            halves[f"{name}/data_size"] = np.array([1030, 257])
    detector = {
        "start_time": None,
        "sample__beam__incident_wavelength": None,
        "instrument__beam__incident_wavelength": (0.9762, "angstrom"),
        "instrument__detector__description": "Dectris Eiger 4M",
        "instrument__detector__serial_number": None,
        "instrument__detector__detector_number": "E-08-0102",
        "instrument__detector__distance": None,
        "instrument__detector__detector_distance": (0.2, "m"),
        f"{specific}/data_collection_date": "2026-03-01T09:00:00.123456",
        f"{specific}/x_pixels_in_detector": columns * 1040 - 10,
        f"{specific}/y_pixels_in_detector": rows * 551 - 37,
    }
    return master(path, **detector, **halves)
