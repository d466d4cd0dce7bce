"""Headers of images: what they state is found, and what cannot be right is taken as missing."""

from __future__ import annotations

import bz2
import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from calib.errors import FileFormatError, MissingFileError
from calib.files.dials.expt_modules import image_name
from calib.files.images.reader import read_image_header
from calib.model.detector.families import built_in
from support.images import eiger1, full_cbf, master, mini_cbf

TAKEN = datetime(2026, 3, 1, 9, 0, 0, 250000)  # noqa: DTZ001 - local time, as in the header


def written(folder: Path, content: bytes, name: str = "x.cbf") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def values(header: Any) -> dict[str, Any]:
    return {name: getattr(header, name) for name in header.__slots__ if name != "modules"}


STATED = {
    "model": "PILATUS 300K, S/N 3-0999",
    "serial": "3-0999",
    "size_px": (487, 619),
    "pixel_mm": (0.172, 0.172),
    "distance_mm": 200.0,
    "wavelength_angstrom": 0.97625,
    "taken": TAKEN,
    "material": "Si",
    "thickness_mm": 0.32,
    "beam_px": (240.5, 310.25),
    "roi_mode": None,
}


@pytest.mark.parametrize(
    ("pack", "name"),
    [(bytes, "x.cbf"), (gzip.compress, "x.cbf.gz"), (bz2.compress, "x.cbf.bz2")],
)
def test_a_mini_cbf_states_detector_time_and_setup(tmp_path: Path, pack: Any, name: str) -> None:
    path = written(tmp_path, pack(mini_cbf()), name)
    assert values(read_image_header(path)) == STATED


def test_a_full_cbf_states_them_in_its_categories(tmp_path: Path) -> None:
    missing = {"material": "", "thickness_mm": None, "beam_px": None}
    header = read_image_header(written(tmp_path, full_cbf()))
    assert values(header) == STATED | missing


def test_a_header_that_fabio_writes_is_read(tmp_path: Path) -> None:
    header = "_array_data.header_contents"
    text = "# Detector: PILATUS 100K, S/N 1-0042\r\n# Wavelength 1.5 A"
    image = fabio.cbfimage.CbfImage(np.zeros((195, 487), np.int32), {header: text})
    image.write(str(tmp_path / "x.cbf"))
    found = read_image_header(tmp_path / "x.cbf")
    assert (found.serial, found.size_px, found.wavelength_angstrom) == ("1-0042", (487, 195), 1.5)


@pytest.mark.parametrize(
    ("stated", "name", "expected"),
    [
        ({"thickness": "1000.000000"}, "thickness_mm", None),
        ({"distance": "nan"}, "distance_mm", None),
        ({"distance": "0.0"}, "distance_mm", None),
        ({"wavelength": "-1.0"}, "wavelength_angstrom", None),
        ({"beam": "1e300, 4"}, "beam_px", None),
        ({"model": "EIGER 16M XR4i S/N 160-0001 Diamond"}, "serial", "160-0001"),
        ({"model": "PILATUS 6MF-0109"}, "serial", None),
        ({"time": "1970-01-01T00:00:01"}, "taken", None),
        ({"time": "2013/Nov/24 20:26:04.601"}, "taken",
         datetime(2013, 11, 24, 20, 26, 4, 601000)),  # noqa: DTZ001
        ({"time": "2026-03-01T10:00:00.5+01:00"}, "taken",
         datetime(2026, 3, 1, 9, 0, 0, 500000, UTC)),
        ({"sensor": "CdTe"}, "material", "CdTe"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_missing(
    tmp_path: Path, stated: dict[str, str], name: str, expected: Any
) -> None:
    header = read_image_header(written(tmp_path, mini_cbf(**stated)))
    assert getattr(header, name) == expected


def test_a_master_states_detector_time_and_setup(tmp_path: Path) -> None:
    header = read_image_header(master(tmp_path / "x_master.h5"))
    assert values(header) == {
        "model": "Dectris EIGER2 Si 4M, S/N E-08-0999",
        "serial": "E-08-0999",
        "size_px": (2068, 2162),
        "pixel_mm": (0.075, 0.075),
        "distance_mm": 200.0,
        "wavelength_angstrom": 0.9762,
        "taken": datetime(2026, 3, 1, 9, tzinfo=UTC),
        "material": "Si",
        "thickness_mm": 0.45,
        "beam_px": (1034.5, 1081.25),
        "roi_mode": None,
    }
    assert header.epoch is None


def test_an_older_master_states_its_number_and_modules(tmp_path: Path) -> None:
    header = read_image_header(eiger1(tmp_path / "x_master.h5"))
    assert (header.serial, header.distance_mm) == ("E-08-0102", 200.0)
    assert header.taken == datetime(2026, 3, 1, 9, 0, 0, 123456)  # noqa: DTZ001
    assert header.modules is not None
    drawn = built_in().get("EIGER 4M").modules
    assert header.modules.boxes_px.tolist() == drawn.boxes_px.tolist()


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    path = master(tmp_path / "x_master.h5", instrument__detector__serial_number=None)
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(path, "a") as file:
        detector = file["entry/instrument/detector"]
        detector["serial_number"] = h5py.ExternalLink("pipe.h5", "/serial")
        file["number"] = "E-08-0777"
        detector["detector_number"] = h5py.SoftLink("/number")
    assert read_image_header(path).serial == "E-08-0777"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unknown-image"),
        (b"{}", "unknown-image"),
        (b"###CBF: VERSION 1.5\n# Detector: PILATUS", "bad-image"),
        (b"###CBF: VERSION 1.5\n\x0c\x1a\x04\xd5", "bad-image"),
        (b"###CBF:" + b" " * 3_000_000, "bad-image"),
        (gzip.compress(mini_cbf())[:60], "bad-image"),
        (b"\x1f\x8bnonsense", "bad-image"),
        (b"BZh9nonsense", "bad-image"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "bad-image"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        read_image_header(written(tmp_path, content))
    assert (caught.value.code, caught.value.place) == (code, str(tmp_path / "x.cbf"))


def test_only_the_head_of_a_compressed_image_is_decompressed(tmp_path: Path) -> None:
    """Ten gigabytes of pixels behind the header would take a minute."""
    zeros = gzip.compress(bytes(10**7), 1)
    path = written(tmp_path, gzip.compress(mini_cbf()) + zeros * 1000, "x.cbf.gz")
    assert read_image_header(path).serial == "3-0999"


def test_a_pipe_is_not_an_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.cbf")
    with pytest.raises(MissingFileError):
        read_image_header(tmp_path / "x.cbf")


@pytest.mark.parametrize(
    ("template", "number", "name"),
    [
        ("th_8_2_####.cbf", 1, "th_8_2_0001.cbf"),
        ("a##_###.cbf", 12, "a##_012.cbf"),
        ("a_#.img", 137, "a_137.img"),
        ("x_master.h5", 1, "x_master.h5"),
    ],
)
def test_the_number_of_an_image_stands_in_place_of_the_last_signs(
    template: str, number: int, name: str
) -> None:
    assert image_name(template, number) == name


def test_a_real_image_states_its_detector(real_data: Path) -> None:
    header = read_image_header(real_data / "image" / "thau_3_2_0001.cbf.bz2")
    assert (header.serial, header.size_px, header.distance_mm) == ("60-0119", (2463, 2527), 351.0)
    assert (header.thickness_mm, header.wavelength_angstrom) == (0.45, 0.96859)
    assert header.taken == datetime(2019, 9, 11, 13, 20, 28, 989000)  # noqa: DTZ001
