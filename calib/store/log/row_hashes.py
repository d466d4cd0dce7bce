"""The hashes of rows in the log: one for each position and table, over every column.

Rows are hashed as the driver returns them. Values of a wrong type get a representation that no
valid value has, since rows may have been tampered with in any way.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Double,
    Integer,
    LargeBinary,
    Row,
    Table,
    TextClause,
    text,
)

from calib.model.base.canonical import instant_from
from calib.model.store.log import rows_id
from calib.store.schema.columns import Instant, Text
from calib.store.schema.tables import DEED, ENTRY, METADATA

FIRST, LAST = -(2**63), 2**63 - 1
"""Below and above every position."""


@dataclass(frozen=True, slots=True)
class RowsAt:
    """The rows of one table that one position added."""

    position: int
    n_rows: int
    hash: str
    keys: list[list[Any]]
    """The primary key of each row."""


def logged_tables() -> tuple[Table, ...]:
    """Every table whose rows are hashed in the log."""
    return tuple(t for t in METADATA.sorted_tables if t not in (DEED, ENTRY))


def position_column(table: Table) -> str:
    """The column with the position that added a row."""
    return "position" if "position" in table.columns else "calibration"


def rows_between(connection: Connection, table: Table, first: int, last: int) -> Iterator[RowsAt]:
    """The rows of positions ``first`` to ``last``, both included, in order."""
    place = list(table.columns.keys()).index(position_column(table))
    found = connection.execute(_selected(table), {"first": first, "last": last})
    for position, group in groupby(found, key=lambda row: row[place]):
        rows = list(group)
        yield RowsAt(int(position), len(rows), hash_of(table, rows), keys_of(table, rows))


def keys_of(table: Table, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The primary keys of rows of a table."""
    places = _key_places(table)
    return [[row[place] for place in places] for row in rows]


@cache
def _key_places(table: Table) -> list[int]:
    names = [column.name for column in table.columns]
    return [names.index(column.name) for column in table.primary_key]


def by_key(table: Table, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The rows in the order of their keys, which may be of any type."""
    if len(rows) < 2:
        return list(rows)
    places = _key_places(table)
    return sorted(rows, key=lambda row: [(str(type(row[place])), row[place]) for place in places])


def hash_of(table: Table, rows: Sequence[Sequence[Any]]) -> str:
    """The hash of rows of a table as a driver returns them, independent of their order."""
    ordered = by_key(table, rows)
    return rows_id(
        {
            name: _canonical_values(kind, [row[index] for row in ordered])
            for index, (name, kind) in enumerate(_kinds(table))
        }
    )


@cache
def _kinds(table: Table) -> list[tuple[str, Any]]:
    return [(column.name, column.type) for column in table.columns]


def rows_at(connection: Connection, table: Table, position: int) -> Sequence[Row[Any]]:
    """The rows that one position added to a table, as the driver returns them."""
    return connection.execute(_selected(table), {"first": position, "last": position}).all()


@cache
def _selected(table: Table) -> TextClause:
    place = position_column(table)
    columns = ", ".join(column.name for column in table.columns)
    return text(
        f"SELECT {columns} FROM {table.name} "  # noqa: S608 - names of known tables
        f"WHERE {place} BETWEEN :first AND :last ORDER BY {place}"
    )


def _canonical_values(kind: Any, values: list[Any]) -> list[Any]:
    """The canonical value of each; unchanged, and not converted one by one, where all have the type
    of the column."""
    types = set(map(type, values))
    if isinstance(kind, Double):
        fits = types == {float} and all(map(math.isfinite, values))
    else:
        fits = isinstance(kind, Integer | Text) and types <= {int, str}
    return values if fits else [canonical_value(kind, value) for value in values]


def canonical_value(kind: Any, value: Any) -> Any:
    """The value in the type of its column; for a wrong type a text that no valid value equals."""
    if value is None:
        return None
    if isinstance(kind, Instant):
        if isinstance(value, datetime):
            return value
        if isinstance(value, int):
            try:
                return instant_from(value)
            except OverflowError:
                pass
    elif isinstance(kind, Double):
        if isinstance(value, float) and math.isfinite(value):
            return value
    elif isinstance(kind, Boolean):
        if value in (0, 1):
            return bool(value)
    elif isinstance(kind, LargeBinary):
        if isinstance(value, bytes | memoryview):
            return hashlib.sha256(value).hexdigest()
    elif isinstance(value, int | str):
        return value
    return f"\0 {value!r}"
