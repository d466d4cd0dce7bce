"""Tables whose observed positions were moved to where an ideal detector would have seen them.

The originals are kept in columns of their own, which DIALS copies along, so that this is never done
twice, and can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from calib.errors import FileFormatError, InputError
from calib.files.dials.refl import (
    Column,
    column_bytes,
    column_parts,
    read_table,
    write_columns,
)
from calib.files.dials.refl_header import TableIndex
from calib.model.base.arrays import Floats

KEPT = {
    "xyzobs.px.value": "calib.observed.px",
    "xyzobs.mm.value": "calib.observed.mm",
}
"""The columns of observed positions, and where their originals are kept."""
_VECTORS = "vec3<double>"

Write = Callable[[BinaryIO], None]


def has_ideal_positions(index: TableIndex) -> bool:
    """Whether the observed positions of a table are not the original ones."""
    return any(name in index.columns for name in KEPT.values())


def refuse_ideal_positions(index: TableIndex, place: str) -> None:
    """Raise ``InputError`` for a table whose observed positions are not the original ones."""
    if has_ideal_positions(index):
        raise InputError(
            "positions-moved",
            "the observed positions were moved by calib apply --as positions, so they must not be "
            "corrected again.",
            place=place,
            remedy="restore them with calib apply --nominal.",
        )


def ideal_writer(
    path: Path, index: TableIndex, centroid_px: Floats | None, centroid_mm: Floats
) -> Write:
    """A writer of the table with other observed positions, and the originals in new columns."""
    new = {"xyzobs.mm.value": centroid_mm}
    if centroid_px is not None:
        new["xyzobs.px.value"] = centroid_px
    old = read_table(path, tuple(new))
    return _writer(path, index, new | {KEPT[name]: old.array(name) for name in new}, ())


def original_writer(path: Path, index: TableIndex) -> Write:
    """A writer of the table with its original positions; raises ``FileFormatError`` where the
    columns that keep them have another type."""
    kept = {own: name for own, name in KEPT.items() if name in index.columns}
    for name in kept.values():
        if index.columns[name].typename != _VECTORS:
            raise FileFormatError(
                "bad-column",
                f"the type is {index.columns[name].typename}, expected {_VECTORS}.",
                place=f"{path}, column {name}",
                remedy="use the reflections as they were before.",
            )
    table = read_table(path, tuple(kept.values()))
    values = {own: table.array(name) for own, name in kept.items()}
    return _writer(path, index, values, tuple(kept.values()))


def _writer(
    path: Path, index: TableIndex, values: Mapping[str, NDArray[Any]], without: tuple[str, ...]
) -> Write:
    """A writer of a table with some columns replaced or added, and others left out."""
    typenames = {name: span.typename for name, span in index.columns.items()}
    typenames |= dict.fromkeys(values, _VECTORS)
    typenames = {name: one for name, one in typenames.items() if name not in without}

    def write(target: BinaryIO) -> None:
        def column(name: str) -> tuple[int, Iterable[bytes | memoryview]]:
            if name in values:
                payload = column_bytes(Column(_VECTORS, values[name]), name)
                return len(payload), (payload,)
            span = index.columns[name]
            return span.size, column_parts(path, span)

        write_columns(target, index, index.nrows, typenames, column)

    return write
