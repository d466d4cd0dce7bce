"""Random changes of the schema of a store are named, and nothing crashes the audit."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.errors import CalibError, IntegrityError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.maintenance.audit import audit_store
from calib.store.store import Store
from support import raw
from support.copies import Copies
from support.filled import fill_every_table
from support.postgres import Server
from support.schema_tricks import Schema, Trick, postgres_trick, sqlite_trick

N = 1500 if os.environ.get("CALIB_TEST_PROFILE") == "long" else 15
POSTGRES_TRIES = 4
"""Times as many on Postgres, where nothing is opened again."""


def found_in_file(path: Path, table: str) -> bool:
    """Whether the audit, the check and each use name the table, or refuse the file."""
    try:
        with Store.open(path) as store:
            audited = {one.table for one in store.log.audit().findings}
    except IntegrityError:
        audited = {table}
    except CalibError as error:
        assert error.code in ("no-store", "not-a-store", "store-newer", "store-failed"), error
        audited = {table}
    try:
        checked = any(not check.fine for check in maintenance.check(path))
    except IntegrityError:
        checked = True
    # Stamps and entries are read together, and findings of both name the entry.
    named = {"deed", "entry"} if table == "deed" else {table}
    return bool(named & audited) and checked


def test_every_trick_with_the_schema_of_a_file_is_found(copies: Copies, tmp_path: Path) -> None:
    original = tmp_path / "calib.sqlite"
    copies.file(fill_every_table, original)
    triggers: dict[str, list[str]] = defaultdict(list)
    listed = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    for table, name in raw.execute(str(original), listed):
        triggers[table].append(name)
    schema = Schema(triggers, {}, {})
    rng, missed, done = random.Random(20261130), [], 0  # noqa: S311
    path = tmp_path / "tricked.sqlite"
    while done < N:
        trick = sqlite_trick(rng, schema)
        for old in tmp_path.glob("tricked.sqlite*"):
            old.unlink()
        shutil.copy(original, path)
        if not played(path, trick):
            continue
        done += 1
        if not found_in_file(path, trick.table):
            missed.append(trick)
    assert not missed, f"{len(missed)} of {done}: {missed[:5]}"


def played(path: Path, trick: Trick) -> bool:
    """Whether SQLite let the owner do it, and the schema differs afterwards."""
    listed = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        before = connection.execute(listed).fetchall()
        try:
            for statement in trick.statements:
                connection.execute(statement)
            return connection.execute(listed).fetchall() != before
        except sqlite3.DatabaseError:
            return False


@pytest.mark.postgres
def test_every_trick_with_the_schema_of_a_server_is_found(
    copies: Copies, postgres_server: Server
) -> None:
    with copies.database(fill_every_table, postgres_server) as place:
        done, missed = tricks_on_server(place)
    assert not missed, f"{len(missed)} of {done}: {missed[:5]}"


def tricks_on_server(place: str) -> tuple[int, list[Trick]]:
    """How many tricks the server let the owner do, and those that the audit did not name."""
    constraints: dict[str, list[str]] = defaultdict(list)
    listed = (
        "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "WHERE k.contype IN ('p', 'u', 'f') ORDER BY 1, 2"
    )
    for table, name in raw.execute(place, listed):
        constraints[table].append(name)
    schema = Schema({}, {}, constraints)
    rng, missed, done = random.Random(20261130), [], 0  # noqa: S311
    database = Database(Location.parse(place), foreign_keys=False)
    try:
        while done < N * POSTGRES_TRIES // (1 if N < 100 else POSTGRES_TRIES):
            trick = postgres_trick(rng, schema)
            with database.reading() as connection:
                try:
                    for statement in trick.statements:
                        connection.exec_driver_sql(statement)
                except DBAPIError:
                    connection.get_transaction().rollback()  # type: ignore[union-attr]
                    continue
                try:
                    named = {one.table for one in audit_store(connection, ()).findings}
                except DBAPIError:  # Store.log.audit makes it an error of calib
                    named = {trick.table}
                connection.get_transaction().rollback()  # type: ignore[union-attr]
            done += 1
            if trick.table not in named:
                missed.append(trick)
    finally:
        database.close()
    return done, missed
