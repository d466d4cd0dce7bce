"""Copying all rows of a store between SQLite and Postgres.

Both sides have the same revision, so the same tables and columns. Times are integers (microseconds
since 1970 UTC) on SQLite and timestamptz on Postgres; everything else is the same on both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, DateTime, MetaData, Table, insert, select

from calib.errors import InputError
from calib.model.base.canonical import instant_from, microseconds

_PAGE = 2000


def copy_rows(source: Connection, target: Connection, version_table: str) -> int:
    """Copy every row, in one transaction of each side; returns the number of rows.

    Rows that the target's migrations inserted are replaced by the source's.
    """
    tables = _tables(source, target, version_table)
    for _, table in reversed(tables):
        _clear(target, table)
    n_rows = 0
    for read, written in tables:
        for page in _pages(source, read):
            target.execute(insert(written), [_converted(row, read, written) for row in page])
            n_rows += len(page)
    return n_rows


def _tables(
    source: Connection, target: Connection, version_table: str
) -> list[tuple[Table, Table]]:
    """The tables of both sides, referenced tables first."""
    schemas = []
    for connection in (source, target):
        metadata = MetaData()
        metadata.reflect(connection)
        schemas.append(metadata)
    return [
        (schemas[0].tables[table.name], table)
        for table in schemas[1].sorted_tables
        if table.name in schemas[0].tables and table.name != version_table
    ]


def _pages(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    rows = source.execute(
        select(table).order_by(*table.primary_key.columns),
        execution_options={"stream_results": True, "yield_per": _PAGE},
    )
    for page in rows.mappings().partitions():
        yield [dict(row) for row in page]


def _converted(row: dict[str, Any], read: Table, written: Table) -> dict[str, Any]:
    for name, value in row.items():
        if value is None:
            continue
        kind = written.columns[name].type
        if isinstance(read.columns[name].type, DateTime):
            row[name] = microseconds(value)
        elif isinstance(kind, DateTime):
            row[name] = _calendar_instant(value)
        elif isinstance(kind, Boolean):
            row[name] = bool(value)
    return row


def _calendar_instant(micros: int) -> datetime:
    try:
        return instant_from(micros)
    except OverflowError:
        raise InputError(
            "bad-time",
            "the store contains a time outside the years 1 to 9999, which a server cannot hold.",
            remedy="restore it to a file instead.",
        ) from None


def _clear(target: Connection, table: Table) -> None:
    """Empty a table of a store that nobody uses yet, without its triggers."""
    if target.execute(select(table).limit(1)).first() is None:
        return
    if target.dialect.name == "postgresql":
        target.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        target.execute(table.delete())
        target.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
        return
    triggers = target.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table.name,)
    ).fetchall()
    for name, _ in triggers:
        target.exec_driver_sql(f"DROP TRIGGER {name}")
    target.execute(table.delete())
    for _, made in triggers:
        target.exec_driver_sql(made)
