"""What a store stands on: its file system or server, permissions, clocks."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, func, select

from calib.config.location import Location
from calib.model.store.backup import Check
from calib.store.database.database import Database, may_insert, require_file
from calib.store.database.file_system import file_system_of
from calib.store.database.journal import Journal, has_wal
from calib.store.database.retry import retry_read
from calib.store.database.sqlite_file import StoreFile
from calib.store.schema.tables import DEED

TOLERANCE = timedelta(seconds=5)
"""Clocks further apart than this are wrong."""


@retry_read
def environment(location: Location, now: datetime) -> list[Check]:
    """Where the store lies, what this user may do there, and what the clocks say.

    Raises ``CalibError`` where the store cannot be asked.
    """
    require_file(location)
    begun = time.monotonic()
    database = Database(location)
    try:
        with database.reading() as connection:
            now += timedelta(seconds=time.monotonic() - begun)  # a server may take its time
            if database.file is not None:
                checks = [_file_system(database.file), _permission(database.file)]
            else:
                checks = [_server(connection), _role(connection), _server_clock(connection, now)]
            return [*checks, _last_entry(connection, now)]
    finally:
        database.close()


def _file_system(file: StoreFile) -> Check:
    kind = file_system_of(file.path) or "unknown"
    kept = "a write-ahead log" if has_wal(file.path) else "a rollback journal"
    said = f"{kind}{', a network file system' if file.network else ''}; the store keeps {kept}."
    if file.network and has_wal(file.path):
        return Check(
            "file system",
            False,
            f"{said[:-1]}, which is not valid there.",
            f"calib db upgrade {file.location.option}",
        )
    wanted = has_wal(file.path) == (file.journal is Journal.AUTO and not file.network)
    return Check("file system", True, said if wanted else f"{said[:-1]} until the next write.")


def _permission(file: StoreFile) -> Check:
    if file.may_write:
        return Check("permission", True, "this user may read and write the store.")
    folder = Path(os.path.realpath(file.path)).parent
    if os.access(file.path, os.W_OK) and os.access(folder, os.W_OK):
        shut = [name for name in file.beside("-wal", "-shm") if not os.access(name, os.W_OK)]
        names = " and ".join(name.name for name in shut if name.exists())
        return Check(
            "permission",
            False,
            f"this user may write the store, but not {names} beside it, which another user made.",
            f"chmod g+ws {folder}, so that all files there belong to one group, and "
            f"let that user run any calib command on the store",
        )
    if os.access(file.path, os.W_OK):
        return Check(
            "permission", True, "this user may only read: not write the folder that it lies in."
        )
    return Check("permission", True, "this user may read the store, and not write it.")


def _server(connection: Connection) -> Check:
    version = connection.exec_driver_sql("SHOW server_version").scalar()
    durable = connection.exec_driver_sql("SHOW fsync").scalar()
    if durable != "on":
        return Check(
            "server",
            False,
            f"Postgres {version}, without fsync: a power cut can destroy the store.",
            "set fsync = on in the server's postgresql.conf",
        )
    return Check("server", True, f"Postgres {version}.")


def _role(connection: Connection) -> Check:
    may = may_insert(connection)
    name = connection.exec_driver_sql("SELECT current_user").scalar()
    said = "read and write the store" if may else "read the store, and not write it"
    return Check("permission", True, f"the role {name} may {said}.")


def _server_clock(connection: Connection, now: datetime) -> Check:
    theirs = connection.exec_driver_sql("SELECT clock_timestamp()").scalar()
    assert isinstance(theirs, datetime)  # noqa: S101
    apart = theirs.astimezone(UTC) - now
    if abs(apart) > TOLERANCE:
        where = "ahead of" if apart > timedelta() else "behind"
        return Check(
            "server's clock",
            False,
            f"it is {_seconds(apart)} {where} this machine's.",
            "set both clocks by the same time server",
        )
    return Check("server's clock", True, "it agrees with this machine's.")


def _last_entry(connection: Connection, now: datetime) -> Check:
    last = connection.execute(select(func.max(DEED.c.recorded_at))).scalar()
    if last is None:
        return Check("clock", True, "nothing is recorded yet.")
    behind = last - now
    if behind > TOLERANCE:
        return Check(
            "clock",
            False,
            f"it is {_seconds(behind)} behind the last entry of the log; until it has caught up, "
            "times are recorded a microsecond after one another.",
            "set this machine's clock; if it is right, find out who recorded with a wrong one "
            "(calib audit log)",
        )
    age = max(-behind, timedelta())
    return Check("clock", True, f"the last entry of the log is {_seconds(age)} old.")


def _seconds(apart: timedelta) -> str:
    seconds = abs(apart.total_seconds())
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
