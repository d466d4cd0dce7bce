"""Images changed at random by the number of the change, whose headers are read.

As ``hostile_files``: what is accepted must be what other code finds in the same bytes, or at least
be within bounds; else ``AssertionError`` is raised.
"""

from __future__ import annotations

import bz2
import gzip
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from calib.files.images.cbf import BINARY
from calib.files.images.reader import read_image_header
from calib.model.base.bounds import DISTANCE_MM, PANEL_SIZE_PX, PIXEL_MM, WAVELENGTH_ANGSTROM
from calib.model.base.text import checked_serial
from calib.model.experiment.epochs import FIRST_DATA
from calib.model.experiment.image_header import ImageHeader
from support.hostile_files import changed, placed
from support.images import eiger1, full_cbf, master, mini_cbf
from support.mutations import changed_bytes


def assert_sensible(header: ImageHeader) -> None:
    """That all values are within their bounds."""
    assert header.serial is None or checked_serial(header.serial)
    assert header.model.isprintable()
    assert header.distance_mm is None or header.distance_mm in DISTANCE_MM
    assert header.wavelength_angstrom is None or header.wavelength_angstrom in WAVELENGTH_ANGSTROM
    assert header.pixel_mm is None or all(one in PIXEL_MM for one in header.pixel_mm)
    assert header.size_px is None or all(one in PANEL_SIZE_PX for one in header.size_px)
    assert header.thickness_mm is None or 0.0 < header.thickness_mm <= 10.0
    if header.taken is not None:
        assert FIRST_DATA.year <= header.taken.year < 2200
    if header.modules is not None:
        assert header.modules.size_px == header.size_px


def assert_stated(header: ImageHeader, content: bytes) -> None:
    """That the numbers of a CBF header are among the words of its text."""
    text = content.partition(BINARY)[0].decode("latin-1")
    for sign in "(),;'\"":
        text = text.replace(sign, " ")
    numbers = set()
    for word in text.replace("\r", " ").split():
        try:
            numbers.add(round(float(word), 12))
        except ValueError:
            continue
    assert header.serial is None or header.serial in text
    scales = (1.0, 1e-3, 1e-1, 1e3, 1e6)
    for value in (header.distance_mm, header.wavelength_angstrom, header.thickness_mm):
        near = value is None or any(
            abs(value * scale - one) <= 1e-9 * abs(one) for scale in scales for one in numbers
        )
        assert near or _glued(value, text), value
    for one in header.size_px or ():
        assert str(one) in text


def _glued(value: float | None, text: str) -> bool:
    """Whether the digits of a number are part of a longer word, such as ``0.97625A``."""
    return value is not None and any(
        f"{value * scale:.10g}".strip("0.") in text for scale in (1.0, 1e-3, 1e-1, 1e3)
    )


def cbf(number: bytes) -> str:
    """A mini-CBF or a full CBF image."""
    original = (mini_cbf(), full_cbf())[number[-1] % 2]
    content = changed(number, original, changed_bytes)
    header = read_image_header(placed(content))
    assert_sensible(header)
    assert_stated(header, content)
    return "read"


def compressed_cbf(number: bytes) -> str:
    """An image in gzip or bzip2: what passes for one has the header that was written, or another
    one within bounds."""
    pack = (gzip.compress, bz2.compress)[number[-1] % 2]
    assert_sensible(read_image_header(placed(changed(number, pack(mini_cbf()), changed_bytes))))
    return "read"


@cache
def masters() -> tuple[bytes, bytes]:
    """The bytes of a new and an old master."""
    with tempfile.TemporaryDirectory() as folder:
        paths = master(Path(folder) / "a.h5"), eiger1(Path(folder) / "b.h5")
        return paths[0].read_bytes(), paths[1].read_bytes()


def hdf5_master(number: bytes) -> str:
    """An NXmx master, or one of older firmware."""
    content = changed(number, masters()[number[-1] % 2], changed_bytes)
    # The HDF5 library wants the real path of a file, which one in memory has not.
    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        file.write(content)
        file.flush()
        assert_sensible(read_image_header(Path(file.name)))
    return "read"


IMAGES: dict[str, Callable[[bytes], str]] = {
    one.__name__: one for one in (cbf, compressed_cbf, hdf5_master)
}
