"""Read the header of an image of any known format."""

from __future__ import annotations

from pathlib import Path

from calib.errors import FileFormatError
from calib.files.images.cbf import BINARY, MAGIC, cbf_header
from calib.files.images.head import image_head
from calib.files.kinds import HDF5_MAGIC
from calib.model.experiment.image_header import ImageHeader


def read_image_header(path: Path) -> ImageHeader:
    """The header of a CBF image (also in gzip or bzip2), or of an HDF5 master.

    The file must be a regular one; the pixels are not read. Raises ``MissingFileError``, and
    ``FileFormatError``: ``unknown-image`` for a file of another format, ``bad-image`` for one that
    cannot be read.
    """
    place = str(path)
    head = image_head(path, BINARY)
    if head.startswith(MAGIC):
        return cbf_header(head, place)
    if head.startswith(HDF5_MAGIC):
        from calib.files.images.masters import master_header

        return master_header(path, place)
    raise FileFormatError(
        "unknown-image",
        "this is neither a CBF image nor an HDF5 master.",
        place=place,
        remedy="give an image in one of these formats, or the serial number with --serial.",
    )


def is_image(head: bytes) -> bool:
    """Whether a file with these first bytes may be an image: CBF, compressed, or HDF5."""
    return head.startswith((MAGIC, HDF5_MAGIC, b"\x1f\x8b", b"BZh"))
