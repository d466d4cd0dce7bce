"""The kinds of files that calib writes, recognised by their first bytes.

An existing file is replaced only by a file of its own kind (``output_target``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from calib.config.location import SQLITE_MAGIC

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
"""The object identifier of signed data (PKCS #7) in DER."""
HEAD = 4096
"""Bytes at the beginning of a file by which its kind is recognised."""
TABLE_MAGIC = "dials::af::reflection_table"
"""The text with which a reflection table of DIALS begins."""
ZIP_MAGIC = b"PK\x03\x04"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_LOG_OF_SQLITE = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
"""The first bytes of a write-ahead log (two byte orders), and of a rollback journal."""


class FileKind(NamedTuple):
    """A kind of file."""

    name: str
    """With its article, as messages name it."""
    recognises: Callable[[bytes], bool]
    """Whether a file with these first bytes, ``HEAD`` at most, is one."""


def looks_like_pickle(head: bytes) -> bool:
    """Whether these first bytes are those of a pickle (protocol 2 on, or 0)."""
    return head.startswith(
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"cdials", b"ccopy_reg")
    )


def _json(key: str, value: str) -> Callable[[bytes], bool]:
    """Recognises a JSON object that has this text among its first keys."""
    member = re.compile(rf'"{key}"\s*:\s*"{value}"'.encode())

    def recognises(head: bytes) -> bool:
        return head.lstrip().startswith(b"{") and member.search(head) is not None

    return recognises


EXPERIMENTS = FileKind("an experiment list of DIALS", _json("__id__", "ExperimentList"))
REFLECTIONS = FileKind(
    "a reflection table of DIALS",
    lambda head: head[:1] in (b"\x93", b"\xdc", b"\xdd") and TABLE_MAGIC.encode() in head[:64],
)
RECEIPT = FileKind("a receipt of calib", _json("format", r"calib/receipt/\d+"))
BUNDLE = FileKind("a bundle of calib", lambda head: head.startswith(b"calib bundle "))
SUMMARY = FileKind(
    "a summary of calib",
    lambda head: head.startswith((HDF5_MAGIC, ZIP_MAGIC)) and b"calib/summary/" in head,
)
CHECKPOINT = FileKind("a checkpoint of calib", _json("format", r"calib/checkpoint/\d+"))
TIMESTAMP = FileKind(
    "a time stamp of an authority",
    lambda head: head.startswith(b"0") and _SIGNED_DATA in head,
)
KEY = FileKind("a key", lambda head: b"-----BEGIN " in head)
KEYS = FileKind("a history of keys", _json("format", r"calib/keys/\d+"))
LAYOUTS = FileKind(
    "a file of layouts of calib",
    lambda head: re.search(rb'(?m)^format\s*=\s*"calib/family/', head) is not None,
)
CBF = FileKind("a CBF image", lambda head: head.startswith(b"###CBF"))
XDS_INPUT = FileKind("input of XDS", lambda head: b"INCIDENT_BEAM_DIRECTION=" in head)
CRYSTFEL = FileKind(
    "a geometry file of CrystFEL",
    lambda head: re.search(rb"(?m)^[^;\n]*/min_fs\s*=", head) is not None,
)
PYFAI = FileKind(
    "a detector of pyFAI", lambda head: head.startswith(HDF5_MAGIC) and b"calib/pyfai/" in head
)
MTZ = FileKind("an MTZ file", lambda head: head.startswith(b"MTZ "))
GEOMETRY = FileKind("a geometry file of calib", _json("format", r"calib-geometry/\d+"))
NOTE = FileKind("the note of calib demo", lambda head: head.startswith(b"Made by calib demo"))
REPORT = FileKind("a report of calib", lambda head: b"<!-- calib/report/1 -->" in head)
PDF = FileKind("a PDF file", lambda head: head.startswith(b"%PDF-"))
PNG = FileKind("a PNG image", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"))
WRITTEN = (
    EXPERIMENTS,
    REFLECTIONS,
    RECEIPT,
    BUNDLE,
    SUMMARY,
    CHECKPOINT,
    TIMESTAMP,
    KEY,
    KEYS,
    LAYOUTS,
    CBF,
    XDS_INPUT,
    CRYSTFEL,
    PYFAI,
    GEOMETRY,
    MTZ,
    NOTE,
    REPORT,
    PDF,
    PNG,
)
"""Every kind that calib writes by way of ``atomic``."""
_OTHERS = (
    FileKind("an SQLite database", lambda head: head.startswith(SQLITE_MAGIC)),
    FileKind("a log of an SQLite database", lambda head: head.startswith(_LOG_OF_SQLITE)),
    FileKind("a pickle", looks_like_pickle),
    FileKind("a zip archive", lambda head: head.startswith(ZIP_MAGIC)),
    FileKind("an HDF5 file", lambda head: head.startswith(HDF5_MAGIC)),
    FileKind("empty", lambda head: not head),
)


def kind_named(head: bytes) -> str:
    """What a file with these first bytes is, as messages name it."""
    found = (kind.name for kind in (*WRITTEN, *_OTHERS) if kind.recognises(head))
    return next(found, "a file of another kind")
