"""Rows of one change: inserted, bound to their entry, read back and compared with what was meant.

A trigger, rule or policy that somebody added to the database can change, drop or add rows while
they are written. Everything that a change wrote is therefore read again in its transaction, after
the entry of the log, and the change is rolled back where it differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, Table, TextClause, insert, text

from calib.errors import IntegrityError
from calib.model.base.canonical import instant_from, microseconds
from calib.model.store.log import STORE_CHAIN
from calib.store.log.row_hashes import (
    by_key,
    canonical_value,
    hash_of,
    keys_of,
    logged_tables,
    position_column,
    rows_at,
)
from calib.store.schema.tables import BINDING, DETECTOR

Row = Mapping[str, Any]
Meant = dict[Table, list[Row]]

_MEANT = "calib_meant_rows"
"""Key of the connection under which the rows of the change in progress are collected."""


@contextmanager
def collected_rows(connection: Connection) -> Iterator[Meant]:
    """Yield the rows of a change by table, to which ``insert_rows`` adds."""
    info = connection.info  # which an interrupted connection no longer gives
    meant: Meant = {}
    info[_MEANT] = meant
    try:
        yield meant
    finally:
        del info[_MEANT]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of the change in progress; they are read back at its end."""
    connection.info[_MEANT].setdefault(table, []).extend(rows)
    connection.execute(insert(table), [dict(row) for row in rows])


def bind(connection: Connection, position: int, chain: str) -> None:
    """Add the row that binds the entry to its detector and to the keys of its rows."""
    meant: Meant = connection.info[_MEANT]
    registered = meant.get(DETECTOR)
    row = {
        "position": position,
        "detector": registered[0]["serial"] if registered and chain == STORE_CHAIN else chain,
        "keys": keys_text(
            {table.name: keys_of(table, _cells(table, rows)) for table, rows in meant.items()}
        ),
    }
    insert_rows(connection, BINDING, [row])


def keys_text(keys: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """JSON: primary keys of rows by table, as the binding of an entry states them."""
    ordered = {name: sorted(rows, key=repr) for name, rows in keys.items()}
    return json.dumps(ordered, sort_keys=True, default=repr)


def contents_of(meant: Meant) -> dict[str, str]:
    """The hashes of the rows that a change was meant to add, by table."""
    return {table.name: hash_of(table, _cells(table, rows)) for table, rows in meant.items()}


def check_written(connection: Connection, position: int, meant: Meant) -> None:
    """Raise ``IntegrityError`` (``written-differently``) unless the rows of a position are those
    that were meant, and nothing else was added."""
    if connection.dialect.name == "postgresql":
        # Deferred triggers of others would run at the commit, after this check.
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    for table, rows in meant.items():
        cells, found = _cells(table, rows), rows_at(connection, table, position)
        if hash_of(table, found) != hash_of(table, cells):
            raise written_differently(_difference(table, cells, found))
    names = frozenset(table.name for table in meant)
    added = connection.execute(_added(names), {"position": position}).scalar()
    if added is not None:
        msg = f"a row appeared in {added}"
        raise written_differently(msg)


def written_differently(how: str) -> IntegrityError:
    """The error for a change that the database did not write as it was meant."""
    return IntegrityError(
        "written-differently",
        f"the database did not write what calib meant: {how}. Nothing was recorded.",
        remedy="calib db check names what was added to the database: triggers, rules, policies.",
    )


def _cells(table: Table, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The values of rows in the order of the columns, as the database is to return them."""
    return [
        tuple(_meant_value(column.type, row.get(column.name)) for column in table.columns)
        for row in rows
    ]


def _meant_value(kind: Any, value: Any) -> Any:
    if hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    if isinstance(value, datetime):
        micros = microseconds(value)
        try:
            return instant_from(micros)
        except OverflowError:  # outside the calendar; the row is read with this number, too
            return micros
    if isinstance(kind, Double) and isinstance(value, int):
        return float(value)
    return value


def _difference(
    table: Table, meant: Sequence[Sequence[Any]], found: Sequence[Sequence[Any]]
) -> str:
    """The first difference between rows that were meant and rows that were found, in words."""
    if len(found) != len(meant):
        return f"{table.name} has {len(found)} new rows instead of {len(meant)}"
    for one, other in zip(by_key(table, meant), by_key(table, found), strict=True):
        for index, column in enumerate(table.columns):
            wanted = canonical_value(column.type, one[index])
            got = canonical_value(column.type, other[index])
            if wanted != got:
                return f"{table.name}.{column.name} is {got!r:.80} instead of {wanted!r:.80}"
    return f"the rows of {table.name} differ"


@cache
def _added(meant: frozenset[str]) -> TextClause:
    """The name of a table with a row that no change was meant to add; ``meant`` have rows at the
    position."""
    tables = [(table.name, position_column(table)) for table in logged_tables()]
    tables += [("deed", "position"), ("entry", "position")]
    parts = []
    for name, place in tables:
        sign = ">" if name in meant or name in ("deed", "entry") else ">="
        parts.append(f"SELECT '{name}' AS name FROM {name} WHERE {place} {sign} :position")  # noqa: S608
    return text(" UNION ALL ".join(parts) + " LIMIT 1")
