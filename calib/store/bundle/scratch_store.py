"""Temporary stores: one with the rows of a bundle, to read them; and one with a copy of a detector,
to preview what loading would write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import StatementError

from calib.config.location import Location
from calib.errors import FileFormatError, InputError, IntegrityError
from calib.model.store.bundle import Bundle, BundleRows
from calib.model.store.record import ChangeStamp
from calib.store.bundle.export import collect_bundle
from calib.store.database.database import Database
from calib.store.log.log import insert_entry
from calib.store.records.detectors import find_detector
from calib.store.schema import revision
from calib.store.schema.tables import DEED, ENTRY, METADATA


@contextmanager
def unpacked_bundle(bundle: Bundle) -> Iterator[Connection]:
    """A temporary store with the rows of a bundle, open for reading.

    Raises ``FileFormatError`` for rows that no store could hold.
    """
    with _scratch() as database:
        try:
            with database.writing() as connection:
                _insert_rows(connection, bundle)
        except FileFormatError:
            raise
        # Not failures of the machine.
        except (InputError, IntegrityError, StatementError, OverflowError) as error:
            raise broken_bundle(why="rows do not fit their tables.") from error
        with database.reading() as connection:
            yield connection


@contextmanager
def detector_copy(store: Database, serial: str) -> Iterator[Connection]:
    """A temporary store with a copy of one detector, open for writing.

    Its log continues at the last position of ``store``, so that a write to it gives the result that
    a write to ``store`` would give. Write access to ``store`` is not needed.
    """
    with _scratch() as database, database.writing() as connection:
        with store.reading() as source:
            _copy(source, connection, serial)
        yield connection


@contextmanager
def _scratch() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="calib-bundle-") as folder:
        location = Location.parse(Path(folder) / "rows.sqlite")
        revision.create(location)
        database = Database(location, foreign_keys=False)
        try:
            yield database
        finally:
            database.close()


def _copy(store: Connection, target: Connection, serial: str) -> None:
    positions = set()
    if find_detector(store, serial) is not None:
        known = collect_bundle(store, serial, None, with_usage=True)
        _insert_rows(target, known)
        for one in known.entries:
            insert_entry(target, one.entry)
            positions.add(one.entry.position)
    last = store.execute(select(DEED).order_by(DEED.c.position.desc()).limit(1)).first()
    if last is not None and last.position not in positions:
        _insert_stamp(target, last.position, ChangeStamp(last.recorded_at, last.actor, last.host))


def _insert_rows(connection: Connection, bundle: Bundle) -> None:
    for one in bundle.entries:
        _insert_stamp(connection, one.entry.position, one.entry.recorded)
    tables = {table.name: table for table in METADATA.sorted_tables if table is not ENTRY}
    for rows in bundle.rows:
        table = tables.get(rows.table)
        if table is None or not set(rows.columns) <= set(table.columns.keys()):
            raise FileFormatError(
                "newer-bundle",
                f"the bundle was made by calib {bundle.code_version}; this program does not know "
                f"all columns of its table {rows.table}.",
                remedy="upgrade calib: pip install --upgrade calib-metrology.",
            )
        if not any(rows.columns.values()):
            raise broken_bundle(why=f"a change has no rows of {rows.table}.")
        for column in table.columns:
            if not column.nullable and column.name not in rows.columns:
                raise broken_bundle(why=f"{rows.table} has no column {column.name}.")
        for name, values in rows.columns.items():
            kind = table.columns[name].type.python_type
            if not all(value is None or _fits(kind, value) for value in values):
                raise broken_bundle(
                    why=f"{rows.table}.{name} has a value that is not of type {kind.__name__}."
                )
        connection.execute(insert(table), row_values(rows))


def _fits(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def broken_bundle(why: str) -> FileFormatError:
    """The error for rows that no store can have exported."""
    return FileFormatError(
        "broken-bundle",
        f"the rows of the bundle are not valid: {why}",
        remedy="export it again with calib bundle create.",
    )


def _insert_stamp(connection: Connection, position: int, stamp: ChangeStamp) -> None:
    connection.execute(
        insert(DEED).values(
            position=position, recorded_at=stamp.at, actor=stamp.actor, host=stamp.host
        )
    )


def row_values(rows: BundleRows) -> list[dict[str, Any]]:
    """The rows as dictionaries by column."""
    names = list(rows.columns)
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*(rows.columns[name] for name in names), strict=True)
    ]
