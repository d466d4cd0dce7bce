"""The index of a reflection table file: the offsets of its columns, without reading them.

A table is msgpack: an array of three, ``"dials::af::reflection_table"``, the version, and a map
``{"identifiers": {int: str}, "nrows": N, "data": {column: [typename, [count, BIN]]}}``. Libraries
for msgpack load a BIN whole even where they skip it; here it is skipped with a seek, so that
a table of 2 GB costs what its wanted columns cost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from calib.errors import FileFormatError
from calib.files.kinds import TABLE_MAGIC
from calib.files.other_files import refuse_pickle
from calib.model.base.bounds import COUNT, brief

VERSIONS = (1, 2)

_AGAIN = "write the table again with DIALS."
_KINDS = {int: "a number", dict: "a map"}
_DEPTH = 16
_SHORT = 4096
"""Sizes in bytes up to which a value is read without checking the size of the file."""


@dataclass(frozen=True, slots=True)
class ColumnSpan:
    """The position of a column's payload in its file."""

    typename: str
    count: int
    offset: int
    """Of the payload's first byte."""
    size: int
    """Of the payload, in bytes."""


@dataclass(frozen=True, slots=True)
class TableIndex:
    """What a reflection table file holds, without the payloads."""

    version: int
    nrows: int
    identifiers: dict[int, str]
    columns: dict[str, ColumnSpan]


def looks_like_table(head: bytes) -> bool:
    """Whether these first bytes are those of a msgpack array of three that begins with text.

    Each header may have any width that msgpack allows.
    """
    arrays = (b"\x93", b"\xdc\x00\x03", b"\xdd\x00\x00\x00\x03")
    begin = next((len(array) for array in arrays if head.startswith(array)), None)
    if begin is None or begin >= len(head):
        return False
    return 0xA0 <= head[begin] <= 0xBF or head[begin] in _TEXTS


def read_index(file: BinaryIO, name: str) -> TableIndex:
    """The index of a reflection table open at its start; ``name`` is used in error messages.

    Raises ``FileFormatError`` where the file is something else, truncated, or of a version that
    is not known.
    """
    head = file.read(64)
    file.seek(0, 2)
    reader = _Reader(file, file.tell(), name)
    file.seek(0)
    _refuse_others(head, name)
    if reader.array("the file") != 3:
        raise reader.bad("msgpack array of three", "is not a reflection table")
    magic = reader.value()
    if magic != TABLE_MAGIC:
        raise reader.bad(TABLE_MAGIC, f"begins with {str(magic)[:40]!r}")
    version = reader.value()
    if version not in VERSIONS:
        raise FileFormatError(
            "unknown-version",
            f"reflection table of version {version}, expected 1 or 2.",
            place=name,
            remedy="use a newer calib, or write the table with an older DIALS.",
        )
    parts: dict[str, Any] = {}
    for _ in range(reader.map("the header")):
        key = reader.value()
        parts[str(key)] = reader.columns() if key == "data" else reader.value()
    return _checked(parts, int(version), name, reader.size)


def _checked(parts: dict[str, Any], version: int, name: str, size: int) -> TableIndex:
    for key, kind in (("nrows", int), ("identifiers", dict), ("data", dict)):
        if not isinstance(parts.get(key), kind):
            found = f"is {str(parts[key])[:40]!r}" if key in parts else "is missing"
            raise FileFormatError(
                "bad-table",
                f"header entry {key!r} {found}, expected {_KINDS[kind]}.",
                place=name,
                remedy=_AGAIN,
            )
    nrows = parts["nrows"]
    # Each row takes a byte at least: a larger number would reserve memory for nothing.
    if nrows not in COUNT or nrows > size:
        raise FileFormatError(
            "bad-table",
            f"header entry 'nrows' is {brief(nrows)}, expected the number of rows in a file of "
            f"{size} bytes.",
            place=name,
            remedy=_AGAIN,
        )
    for column, span in parts["data"].items():
        if span.count != nrows:
            raise FileFormatError(
                "bad-column",
                f"{span.count} rows, expected {nrows} as in the rest of the table.",
                place=f"{name}, column {column}",
                remedy=_AGAIN,
            )
    for key, text in parts["identifiers"].items():
        if not isinstance(key, int) or not isinstance(text, str):
            raise FileFormatError(
                "bad-table",
                f"the identifiers hold {str((key, text))[:60]}, expected a number and a text.",
                place=name,
                remedy=_AGAIN,
            )
    return TableIndex(version, nrows, parts["identifiers"], parts["data"])


def _refuse_others(head: bytes, name: str) -> None:
    if looks_like_table(head):
        return
    refuse_pickle(head, name)
    if not head:
        found, remedy = "the file is empty", "write it again with DIALS."
    elif head.lstrip().startswith(b"{"):
        found = "this is JSON, such as an experiment list"
        remedy = "give the .refl file in its place."
    elif head.startswith(b"\x89HDF"):
        found, remedy = "this is an HDF5 file", "convert it with DIALS to a .refl file in msgpack."
    else:
        found, remedy = f"the file begins with {head[:8]!r}", "give a .refl file written by DIALS."
    raise FileFormatError(
        "not-a-reflection-table",
        f"{found}, expected a reflection table.",
        place=name,
        remedy=remedy,
    )


class _Reader:
    """Reads the types of msgpack that occur in reflection tables."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self.file = file
        self.size = size
        self.name = name

    def bad(self, expected: str, found: str) -> FileFormatError:
        at = self.file.tell()
        return FileFormatError(
            "bad-table",
            f"the file {found} before byte {at}, expected a {expected}.",
            place=self.name,
            remedy=_AGAIN,
        )

    def take(self, n: int) -> bytes:
        if n > _SHORT and self.file.tell() + n > self.size:
            raise self._truncated(self.file.tell() + n)
        taken = self.file.read(n)
        if len(taken) < n:
            raise self._truncated(self.file.tell() - len(taken) + n)
        return taken

    def _truncated(self, needed: int) -> FileFormatError:
        return FileFormatError(
            "truncated",
            f"the file is cut off: it has {self.size} bytes, expected at least {needed}.",
            place=self.name,
            remedy="copy or write it again.",
        )

    def _length(self, kind: str, wide: dict[int, str], fixed: int | None = None) -> int:
        byte = self.take(1)[0]
        if byte in wide:
            return int(self._unpacked(wide[byte]))
        if fixed is not None and byte & 0xF0 == fixed:
            return byte & 0x0F
        raise self.bad(kind, f"has the byte 0x{byte:02x}")

    def array(self, what: str) -> int:
        return self._length(f"list ({what})", _ARRAYS, 0x90)

    def map(self, what: str) -> int:
        return self._length(f"map ({what})", _MAPS, 0x80)

    def binary(self) -> tuple[int, int]:
        """Offset and size of a BIN, which is skipped."""
        size = self._length("column of bytes", _BINARIES)
        offset = self.file.tell()
        if offset + size > self.size:
            raise self._truncated(offset + size)
        self.file.seek(size, 1)
        return offset, size

    def columns(self) -> dict[str, ColumnSpan]:
        out: dict[str, ColumnSpan] = {}
        for _ in range(self.map("the columns")):
            column = self.text("the name of a column")
            if self.array(f"column {column}") != 2:
                raise self.bad("type name and values", f"has a malformed column {column!r}")
            typename = self.text(f"the type of column {column}")
            if self.array(f"values of column {column}") != 2:
                raise self.bad("number of rows and bytes", f"has a malformed column {column!r}")
            count = self.value()
            if not isinstance(count, int) or count < 0:
                raise self.bad(
                    "number", f"has {str(count)[:40]!r} as the rows of column {column!r}"
                )
            out[column] = ColumnSpan(typename, count, *self.binary())
        return out

    def text(self, what: str) -> str:
        found = self.value()
        if not isinstance(found, str):
            raise self.bad("text", f"has {str(found)[:40]!r} as {what}")
        return found

    def value(self, depth: int = 0) -> Any:
        """A whole value; a BIN is read too (only unknown header entries hold one here)."""
        byte = self.take(1)[0]
        if byte <= 0x7F:
            return byte
        if byte >= 0xE0:
            return byte - 0x100
        if 0xA0 <= byte <= 0xBF:
            return self._text(byte & 0x1F)
        if byte in _SCALARS:
            return self._unpacked(_SCALARS[byte])
        if byte in _TEXTS:
            return self._text(self._unpacked(_TEXTS[byte]))
        if byte in _CONSTANTS:
            return _CONSTANTS[byte]
        self.file.seek(-1, 1)
        if depth > _DEPTH:
            raise self.bad("table", "is nested too deeply")
        if byte in _BINARIES:
            offset, size = self.binary()
            self.file.seek(offset)
            return self.take(size)
        if byte & 0xF0 == 0x90 or byte in _ARRAYS:
            return [self.value(depth + 1) for _ in range(self.array("values"))]
        if byte & 0xF0 == 0x80 or byte in _MAPS:
            pairs = range(self.map("values"))
            return {self._key(depth + 1): self.value(depth + 1) for _ in pairs}
        raise self.bad("msgpack value of a reflection table", f"has the byte 0x{byte:02x}")

    def _key(self, depth: int) -> Any:
        key = self.value(depth)
        if isinstance(key, list | dict):
            raise self.bad("key of text or number", "has a map whose key is a list or a map")
        return key

    def _unpacked(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def _text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.bad("name", "has text that is not UTF-8") from error


_SCALARS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_BINARIES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_ARRAYS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}
_TEXTS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
