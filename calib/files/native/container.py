"""A file of named arrays: a zip archive of ``.npy`` members that are stored without compression.

Reading trusts no number in the file: the archive that its members would make is compared with the
bytes that are there, so that nothing can stand before, between or behind them, and nothing is
unpacked. Only arrays of numbers are read; no header is evaluated. ``numpy.load`` and every program
for zip archives open such files.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from calib.errors import InputError
from calib.files.kinds import ZIP_MAGIC

MOST_BYTES = 2**28
"""Of a file; far more than any summary has."""
MOST_MEMBERS = 1000
DTYPES = frozenset(
    {"|u1", "|i1", *(f"<{kind}{n}" for kind in "iu" for n in (2, 4, 8)), "<f4", "<f8"}
)
"""The types of arrays, as numpy writes them: whole numbers and floats, little-endian."""

_LOCAL, _CENTRAL, _END = (
    struct.Struct("<4s5H3I2H"),
    struct.Struct("<4s6H3I5H2I"),
    struct.Struct("<4s4H2IH"),
)
_VERSION, _MADE_BY_UNIX, _MODE = 20, 0x0314, 0o100644 << 16
_MIDNIGHT, _FIRST_DAY = 0, 0x21
"""Time and date of every member: 1980-01-01, the first that a zip archive can state."""
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*\.(json|npy)")
_LONGEST_NAME = 100
_NPY = b"\x93NUMPY\x01\x00"
"""Version 1.0 of the format."""
_NPY_ALIGNED = 64
_NPY_LONGEST_HEADER = 1024
_MOST_AXES = 4


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members, in their order; the same bytes on every machine.

    Raises ``InputError`` for names that are not allowed, too many members or too many bytes.
    """
    pieces, directory, offset = [], [], 0
    for name, data in members.items():
        _check_name(name)
        crc = zlib.crc32(data)
        head = _local(name, crc, len(data))
        pieces += [head, data]
        directory.append(_central(name, crc, len(data), offset))
        offset += len(head) + len(data)
    listed = b"".join(directory)
    end = _end(len(members), len(listed), offset)
    if len(members) > MOST_MEMBERS or offset + len(listed) + len(end) > MOST_BYTES:
        raise InputError("too-large", f"{len(members)} members of {offset} bytes are too many.")
    return b"".join([*pieces, listed, end])


def zip_members(content: bytes) -> dict[str, memoryview]:
    """The members of an archive, by name, in its order.

    Raises ``InputError`` for an archive that ``zip_bytes`` could not have written: with compressed
    or encrypted members, duplicate names, paths, comments, or any other bytes.
    """
    if not _END.size <= len(content) <= MOST_BYTES:
        raise _wrong(what=f"it has {len(content)} bytes")
    n, n_listed, offset_of_list = _END.unpack_from(content, len(content) - _END.size)[4:7]
    if content[-_END.size :] != _end(n, n_listed, offset_of_list):
        raise _wrong(what="the archive is not complete, or something follows its end")
    if n > MOST_MEMBERS or offset_of_list + n_listed + _END.size != len(content):
        raise _wrong(what="its directory is not where it should be")
    found: dict[str, memoryview] = {}
    view, offset, place, last = memoryview(content), 0, offset_of_list, len(content) - _END.size
    for _ in range(n):
        if place + _CENTRAL.size > last:
            raise _wrong(what="its directory is cut off")
        size, length = _CENTRAL.unpack_from(content, place)[9:11]
        name = content[place + _CENTRAL.size : place + _CENTRAL.size + length].decode("latin-1")
        _check_name(name)
        if name in found:
            raise _wrong(what=f"{name} occurs twice")
        begin = offset + _LOCAL.size + length
        if begin + size > offset_of_list:
            raise _wrong(what=f"{name} is cut off")
        data = view[begin : begin + size]
        crc = zlib.crc32(data)
        entry = _central(name, crc, size, offset)
        if content[offset:begin] != _local(name, crc, size) or (
            content[place : place + len(entry)] != entry
        ):
            raise _wrong(what=f"{name} is not stored as it should be, or was changed")
        found[name] = data
        place, offset = place + len(entry), begin + size
    if (offset, place) != (offset_of_list, last):
        raise _wrong(what="there are bytes that belong to no member")
    return found


def npy_bytes(values: np.ndarray[Any, Any]) -> bytes:
    """An array as a ``.npy`` file, the same bytes with every release of numpy.

    Raises ``InputError`` for arrays other than of the types in ``DTYPES``.
    """
    dtype = dtype_name(values)
    text = _npy_text(dtype, values.shape)
    padded = len(text) + 1 + -(len(_NPY) + 2 + len(text) + 1) % _NPY_ALIGNED
    head = text.ljust(padded - 1) + b"\n"
    packed = np.ascontiguousarray(values, dtype=dtype).tobytes()
    return b"".join([_NPY, padded.to_bytes(2, "little"), head, packed])


def dtype_name(values: np.ndarray[Any, Any]) -> str:
    """The type of an array as it is stored; raises ``InputError`` for one that cannot be."""
    name = str(values.dtype.newbyteorder("<").str)
    if name not in DTYPES or values.ndim > _MOST_AXES:
        raise InputError(
            "bad-type", f"an array of {values.ndim} axes of {values.dtype} is not stored."
        )
    return name


def npy_array(
    data: memoryview, name: str, dtype: str, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """The array in a ``.npy`` file, read-only, which must be of this type and shape.

    Raises ``InputError`` for any other file. The memory of ``data`` is not copied.
    """
    if dtype not in DTYPES or len(shape) > _MOST_AXES:
        raise InputError("bad-type", f"{name} is of the type {dtype} with {len(shape)} axes.")
    begin = len(_NPY) + 2
    length = int.from_bytes(data[len(_NPY) : begin], "little")
    head = bytes(data[begin : begin + min(length, _NPY_LONGEST_HEADER)])
    # Releases of numpy differ in the spaces only.
    if (
        data[: len(_NPY)] != _NPY
        or head[-1:] != b"\n"
        or (head[:-1].rstrip(b" ") != _npy_text(dtype, shape))
    ):
        raise InputError("bad-shape", f"{name} is not an array of {dtype} with the shape {shape}.")
    kind, count = np.dtype(dtype), math.prod(shape)
    if begin + length + count * kind.itemsize != len(data):
        raise InputError("bad-shape", f"{name} does not have the size of its shape {shape}.")
    if count == 0:
        out = np.empty(shape, kind)
    else:
        out = np.frombuffer(data, kind, count, begin + length).reshape(shape)
    out.flags.writeable = False
    return out


def _npy_text(dtype: str, shape: tuple[int, ...]) -> bytes:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode("ascii")


def _local(name: str, crc: int, size: int) -> bytes:
    head = (ZIP_MAGIC, _VERSION, 0, 0, _MIDNIGHT, _FIRST_DAY, crc, size, size, len(name), 0)
    return _LOCAL.pack(*head) + name.encode("ascii")


def _central(name: str, crc: int, size: int, offset: int) -> bytes:
    head = (b"PK\x01\x02", _MADE_BY_UNIX, _VERSION, 0, 0, _MIDNIGHT, _FIRST_DAY)
    rest = (crc, size, size, len(name), 0, 0, 0, 0, _MODE, offset)
    return _CENTRAL.pack(*head, *rest) + name.encode("ascii")


def _end(n: int, n_listed: int, offset: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, n, n, n_listed, offset, 0)


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise _wrong(what=f"a member cannot have the name {name[:_LONGEST_NAME]!r}")


def _wrong(what: str) -> InputError:
    return InputError("bad-container", f"{what}.")
