"""The first bytes of an image file, decompressed as far as its header goes."""

from __future__ import annotations

import bz2
import gzip
import zlib
from pathlib import Path
from typing import IO

from calib.errors import FileFormatError
from calib.files.atomic import open_input

STEP, MOST = 2**14, 2**20
"""Bytes that are read at a time, and at most."""
_GZIP, _BZ2 = b"\x1f\x8b", b"BZh"


def image_head(path: Path, end: bytes) -> bytes:
    """The bytes of a file up to a mark and a little beyond, at most a megabyte; a file in gzip or
    bzip2 is decompressed as far.

    Raises ``MissingFileError``, and ``FileFormatError`` (``bad-image``) where it cannot be
    decompressed.
    """
    with open_input(path) as file:
        magic = file.peek(4)[:4]
        stream: IO[bytes] | gzip.GzipFile = file
        if magic.startswith(_GZIP):
            stream = gzip.GzipFile(fileobj=file)
        elif magic.startswith(_BZ2):
            stream = bz2.BZ2File(file)
        out = b""
        try:
            while len(out) < MOST and end not in out[-STEP - len(end) :]:
                piece = stream.read(STEP)
                if not piece:
                    break
                out += piece
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise FileFormatError(
                "bad-image",
                f"the image cannot be decompressed ({str(error) or type(error).__name__}).",
                place=str(path),
                remedy="copy the image again from where it was taken.",
            ) from error
    return out
