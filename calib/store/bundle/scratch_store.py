"""Rows laid out in a store of their own, which is thrown away afterwards: a bundle's, to be read;
or a detector's as a store has them, to try on it what would be written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import StatementError

from calib.config.location import Location
from calib.errors import FileFormatError, InputError
from calib.model.store.bundle import Bundle, BundleRows
from calib.model.store.record import ChangeStamp
from calib.store.bundle.export import collected
from calib.store.database.database import Database
from calib.store.log.log import insert_entry
from calib.store.records.detectors import find_detector
from calib.store.schema import revision
from calib.store.schema.tables import DEED, ENTRY, METADATA


@contextmanager
def unpacked(bundle: Bundle) -> Iterator[Connection]:
    """The bundle's rows in a store of their own, to be read.

    Raises ``FileFormatError`` for rows that no store could hold.
    """
    with _scratch() as database:
        try:
            with database.writing() as connection:
                _lay_out(connection, bundle)
        except FileFormatError:
            raise
        except (InputError, StatementError, OverflowError) as error:  # not the machine's failures
            raise unsound(why="rows do not fit their tables.") from error
        with database.reading() as connection:
            yield connection


@contextmanager
def rehearsal(store: Database, serial: str) -> Iterator[Connection]:
    """A store that knows of one detector what ``store`` does, and whose log goes on where the other
    one ends: what is written to it shows what would come of it there, whoever may write there."""
    with _scratch() as database, database.writing() as connection:
        with store.reading() as there:
            _copy(there, connection, serial)
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
        known = collected(store, serial, None, with_usage=True)
        _lay_out(target, known)
        for one in known.entries:
            insert_entry(target, one.entry)
            positions.add(one.entry.position)
    last = store.execute(select(DEED).order_by(DEED.c.position.desc()).limit(1)).first()
    if last is not None and last.position not in positions:
        _insert_deed(target, last.position, ChangeStamp(last.recorded_at, last.actor, last.host))


def _lay_out(connection: Connection, bundle: Bundle) -> None:
    for one in bundle.entries:
        _insert_deed(connection, one.entry.position, one.entry.recorded)
    tables = {table.name: table for table in METADATA.sorted_tables if table is not ENTRY}
    for rows in bundle.rows:
        table = tables.get(rows.table)
        if table is None or not set(rows.columns) <= set(table.columns.keys()):
            raise FileFormatError(
                "newer-bundle",
                f"the bundle was made by calib {bundle.code_version}, which knows more of "
                f"{rows.table} than this program.",
                remedy="upgrade calib: pip install --upgrade calib-metrology.",
            )
        for name, values in rows.columns.items():
            kind = table.columns[name].type.python_type
            if not all(value is None or _is_of(kind, value) for value in values):
                raise unsound(why=f"{rows.table}.{name} holds what is no {kind.__name__}.")
        connection.execute(insert(table), by_row(rows))


def _is_of(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def unsound(why: str) -> FileFormatError:
    """The refusal of rows that cannot be what some store held."""
    return FileFormatError(
        "broken-bundle",
        f"the bundle's rows are no calibrations as they stand: {why}",
        remedy="get it again from where it was made.",
    )


def _insert_deed(connection: Connection, position: int, stamp: ChangeStamp) -> None:
    connection.execute(
        insert(DEED).values(
            position=position, recorded_at=stamp.at, actor=stamp.actor, host=stamp.host
        )
    )


def by_row(rows: BundleRows) -> list[dict[str, Any]]:
    """The rows one by one, each with its columns by name."""
    names = list(rows.columns)
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*(rows.columns[name] for name in names), strict=True)
    ]
