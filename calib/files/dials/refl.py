"""DIALS reflection tables ``.refl``: read by column, written, and copied with some new columns.

Columns of fixed-size elements become numpy arrays (little-endian memory, C order); shoeboxes,
text and types that are not known stay raw bytes and are carried as they are.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from calib.errors import FileFormatError, InputError
from calib.files.atomic import open_input, write_safely
from calib.files.dials.refl_header import ColumnSpan, TableIndex, read_index
from calib.files.kinds import REFLECTIONS, TABLE_MAGIC

ELEMENTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "bool": ("?", ()),
    "int": ("<i4", ()),
    "std::size_t": ("<u8", ()),
    "double": ("<f8", ()),
    "vec2<double>": ("<f8", (2,)),
    "vec3<double>": ("<f8", (3,)),
    "mat3<double>": ("<f8", (3, 3)),
    "int6": ("<i4", (6,)),
    "cctbx::miller::index<>": ("<i4", (3,)),
}
"""Of each type name of fixed size: the numpy dtype of its numbers and the shape of an element."""

_CHUNK = 1 << 22


class Column(NamedTuple):
    """One column: its DIALS type name and its values."""

    typename: str
    values: NDArray[Any] | bytes
    """(nrows, ...) for the types of ``ELEMENTS``, else the raw bytes of the payload."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A reflection table, or some of its columns."""

    nrows: int
    identifiers: dict[int, str]
    """Experiment identifier of each ``id``; empty in older files."""
    columns: dict[str, Column]
    version: int = 1
    """Of the file format; it only affects how shoeboxes are packed."""

    def __post_init__(self) -> None:
        for name, (typename, values) in self.columns.items():
            if typename not in ELEMENTS:
                fits = isinstance(values, bytes)
            else:
                shape = (self.nrows, *ELEMENTS[typename][1])
                fits = isinstance(values, np.ndarray) and values.shape == shape
            if not fits:
                found = getattr(values, "shape", type(values).__name__)
                raise InputError(
                    "bad-shape",
                    f"{found} does not fit {typename} with {self.nrows} rows.",
                    place=f"column {name}",
                )

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def array(self, column: str) -> NDArray[Any]:
        """The values of a column of fixed-size elements; raises ``InputError`` without it."""
        values = self.columns[column].values if column in self.columns else None
        if not isinstance(values, np.ndarray):
            raise InputError("no-column", f"the table has no column {column!r} of numbers.")
        return values


def read_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """The table in a file, or those of the named ``columns`` that it has.

    Only the wanted columns are read. Raises ``MissingFileError`` and ``FileFormatError``.
    """
    with open_input(path) as file:
        index = read_index(file, str(path))
        wanted = index.columns if columns is None else [c for c in columns if c in index.columns]
        read = {name: _read_column(file, index.columns[name], name, path) for name in wanted}
    return Table(index.nrows, index.identifiers, read, index.version)


def read_blocks(path: Path, columns: Sequence[str], rows: int) -> Iterator[Table]:
    """The named ``columns`` that a table has, ``rows`` rows at a time.

    Memory is that of one block, however large the table. Raises ``MissingFileError`` and
    ``FileFormatError``.
    """
    with open_input(path) as file:
        index = read_index(file, str(path))
        spans = {name: index.columns[name] for name in columns if name in index.columns}
        for name, span in spans.items():
            if span.typename in ELEMENTS:
                _element_count(span, name, path)
        for first in range(0, index.nrows, rows):
            count = min(rows, index.nrows - first)
            read = {name: _read_rows(file, span, first, count) for name, span in spans.items()}
            yield Table(count, index.identifiers, read, index.version)


def read_table_index(path: Path) -> TableIndex:
    """Rows, identifiers and column names of the table in a file, without reading its columns."""
    with open_input(path) as file:
        return read_index(file, str(path))


def table_bytes(table: Table) -> bytes:
    """The file of a table, as DIALS writes it."""
    typenames = {name: column.typename for name, column in table.columns.items()}

    def column(name: str) -> tuple[int, Iterable[bytes]]:
        payload = column_bytes(table.columns[name], name)
        return len(payload), (payload,)

    target = BytesIO()
    write_columns(target, table, table.nrows, typenames, column)
    return target.getvalue()


def write_columns(
    target: BinaryIO,
    head: Table | TableIndex,
    n_rows: int,
    typenames: Mapping[str, str],
    column: Callable[[str], tuple[int, Iterable[bytes | memoryview]]],
) -> None:
    """Write a table of these columns: ``column`` gives the size and the bytes of each.

    Version and identifiers are those of ``head``.
    """
    packer = msgpack.Packer(use_bin_type=True, autoreset=False)
    packer.pack_array_header(3)
    packer.pack(TABLE_MAGIC)
    packer.pack(head.version)
    packer.pack_map_header(3)
    packer.pack("identifiers")
    packer.pack(head.identifiers)
    packer.pack("nrows")
    packer.pack(n_rows)
    packer.pack("data")
    packer.pack_map_header(len(typenames))
    target.write(packer.bytes())
    for name, typename in typenames.items():
        size, parts = column(name)
        packer = msgpack.Packer(use_bin_type=True, autoreset=False)
        packer.pack(name)
        packer.pack_array_header(2)
        packer.pack(typename)
        packer.pack_array_header(2)
        packer.pack(n_rows)
        target.write(packer.bytes() + _binary_head(size))
        for part in parts:
            target.write(part)


def rewrite_columns(
    source: Path,
    target: Path,
    replaced: Mapping[str, NDArray[Any]],
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Write the table in ``source`` to ``target`` with other values in some columns.

    As ``rewritten_columns`` and ``write_safely``; ``source`` counts as one of the ``inputs``.
    """
    writer = rewritten_columns(source, replaced)
    write_safely(target, writer, REFLECTIONS, inputs=(source, *inputs), force=force)


def rewritten_columns(
    source: Path, replaced: Mapping[str, NDArray[Any]]
) -> Callable[[BinaryIO], None]:
    """A writer (for ``write_safely``) of the table in ``source`` with other values in some columns.

    ``replaced`` gives (nrows, ...) arrays for columns that the table has; everything else is
    copied byte for byte, shoeboxes and unknown types included. Raises ``InputError`` at once where
    a column is missing or of another shape.
    """
    with open_input(source) as file:
        index = read_index(file, str(source))
    spans: list[tuple[ColumnSpan, bytes]] = []
    for name, values in replaced.items():
        if name not in index.columns or index.columns[name].typename not in ELEMENTS:
            raise InputError(
                "no-column", f"there is no column {name!r} of numbers.", place=str(source)
            )
        span = index.columns[name]
        shape = (index.nrows, *ELEMENTS[span.typename][1])
        if values.shape != shape:
            raise InputError(
                "bad-shape",
                f"{values.shape} values, expected {shape}.",
                place=f"{source}, column {name}",
            )
        _element_count(span, name, source)
        spans.append((span, column_bytes(Column(span.typename, values), name)))
    spans.sort(key=lambda pair: pair[0].offset)

    def write(target: BinaryIO) -> None:
        with open_input(source) as file:
            for span, payload in spans:
                target.writelines(_parts(file, span.offset - file.tell()))
                target.write(payload)
                file.seek(span.size, 1)
            shutil.copyfileobj(file, target, _CHUNK)

    return write


def column_parts(path: Path, span: ColumnSpan) -> Iterator[bytes]:
    """The payload of a column as it is in the file, a part at a time."""
    with open_input(path) as file:
        file.seek(span.offset)
        yield from _parts(file, span.size)


def _parts(source: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = source.read(min(size, _CHUNK))
        if not piece:
            raise FileFormatError("truncated", "the file became shorter while it was read.")
        yield piece
        size -= len(piece)


def _read_column(file: BufferedReader, span: ColumnSpan, name: str, path: Path) -> Column:
    if span.typename not in ELEMENTS:
        file.seek(span.offset)
        return Column(span.typename, file.read(span.size))
    _element_count(span, name, path)
    return _read_rows(file, span, 0, span.count)


def _read_rows(file: BufferedReader, span: ColumnSpan, first: int, count: int) -> Column:
    """Some rows of a column of fixed-size elements."""
    dtype, shape = ELEMENTS[span.typename]
    values = np.empty((count, *shape), dtype=dtype)
    if values.size:
        file.seek(span.offset + first * (values.nbytes // count))
        file.readinto(values.view(np.uint8).data)
    return Column(span.typename, values)


def _element_count(span: ColumnSpan, name: str, path: Path) -> None:
    dtype, shape = ELEMENTS[span.typename]
    expected = span.count * np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
    if span.size != expected:
        raise FileFormatError(
            "bad-column",
            f"{span.size} bytes, expected {expected} for {span.count} rows of {span.typename}.",
            place=f"{path}, column {name}",
            remedy="write the table again with DIALS.",
        )


def column_bytes(column: Column, name: str) -> bytes:
    """The payload of a column; raises ``InputError`` for values of another type."""
    values = column.values
    if isinstance(values, bytes):
        return values
    dtype = np.dtype(ELEMENTS[column.typename][0])
    if not np.can_cast(values.dtype, dtype, casting="same_kind"):
        raise InputError(
            "bad-type",
            f"{values.dtype} values do not fit {column.typename}.",
            place=f"column {name}",
        )
    return np.ascontiguousarray(values, dtype=dtype).tobytes()


def _binary_head(size: int) -> bytes:
    """The msgpack head of a BIN."""
    if size < 1 << 8:
        return struct.pack(">BB", 0xC4, size)
    if size < 1 << 16:
        return struct.pack(">BH", 0xC5, size)
    return struct.pack(">BI", 0xC6, size)
