"""Checks of the environment of a store: its file system or server, permissions and clocks."""

from __future__ import annotations

import os
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from calib.config.location import Location
from calib.model.store.backup import Check
from calib.store.database.clock import ClockRule, days
from calib.store.database.database import Database, may_insert, require_file
from calib.store.database.file_system import disk_is_full, file_system_of
from calib.store.database.journal import Journal, has_wal
from calib.store.database.retry import retry_read
from calib.store.database.sharing import group_of, is_shared, unshared
from calib.store.database.sqlite_file import StoreFile
from calib.store.log.log import read_moment, wrong_times

TOLERANCE = timedelta(seconds=5)
"""Clocks that differ by more than this are reported."""


@retry_read
def environment(location: Location, now: datetime) -> list[Check]:
    """Check the place of the store, the permissions of this user, and the clocks.

    Raises ``CalibError`` where the store cannot be read.
    """
    require_file(location)
    begun = time.monotonic()
    database = Database(location)
    try:
        with database.reading() as connection:
            now += timedelta(seconds=time.monotonic() - begun)  # connecting to a server takes time
            if database.file is not None:
                checks = [_file_system(database.file), _space(database.file)]
                checks += [*_sharing(database.file), _permission(database.file)]
            else:
                checks = [_server(connection), _role(connection), _server_clock(connection, now)]
            return [*checks, _last_entry(connection, database.clock, now)]
    finally:
        database.close()


def _file_system(file: StoreFile) -> Check:
    kind = file_system_of(file.path) or "unknown"
    journal = "a write-ahead log" if has_wal(file.path) else "a rollback journal"
    text = f"{kind}{', a network file system' if file.network else ''}; the store uses {journal}."
    if file.network and has_wal(file.path):
        return Check(
            "file system",
            False,
            f"{text[:-1]}, which is not valid there.",
            f"calib db upgrade {file.location.option}",
        )
    wanted = has_wal(file.path) == (file.journal is Journal.AUTO and not file.network)
    return Check("file system", True, text if wanted else f"{text[:-1]} until the next write.")


def _space(file: StoreFile) -> Check:
    folder = Path(os.path.realpath(file.path)).parent
    if disk_is_full(folder):
        return Check(
            "space",
            False,
            "the disk is full, or your quota on it: the store can be read, but not written.",
            f"free some space in {folder}",
        )
    return Check("space", True, "the disk is not full.")


def _sharing(file: StoreFile) -> list[Check]:
    """Whether the group of a shared folder may write all files of the store; none for a folder that
    is not shared."""
    real = Path(os.path.realpath(file.path))
    if not is_shared(real.parent):
        return []
    group, closed = group_of(real.parent), unshared(file.location)
    if not closed:
        return [Check("sharing", True, f"the group {group} may read and write the store.")]
    names = " ".join(shlex.quote(str(path)) for path in closed)
    command = f"chgrp {group} {names} && chmod g+rw {names}"
    may_change = os.geteuid() in (0, closed[0].stat().st_uid)
    return [
        Check(
            "sharing",
            False,
            f"the folder is shared by the group {group}, which may not write "
            f"{' and '.join(path.name for path in closed)}.",
            command if may_change else f"ask its owner to run {command}",
        )
    ]


def _permission(file: StoreFile) -> Check:
    if file.may_write:
        return Check("permission", True, "this user may read and write the store.")
    folder = Path(os.path.realpath(file.path)).parent
    if os.access(file.path, os.W_OK) and os.access(folder, os.W_OK):
        protected = [name for name in file.beside("-wal", "-shm") if not os.access(name, os.W_OK)]
        names = " and ".join(name.name for name in protected if name.exists())
        return Check(
            "permission",
            False,
            f"this user may write the store, but not {names} beside it, which another user made.",
            f"chmod g+ws {folder}, so that all files there belong to one group, and "
            f"let that user run any calib command on the store",
        )
    if os.access(file.path, os.W_OK):
        return Check(
            "permission", True, "this user may read the store, but not write to its folder."
        )
    return Check("permission", True, "this user may read the store, but not write it.")


def _server(connection: Connection) -> Check:
    version = connection.exec_driver_sql("SHOW server_version").scalar()
    durable = connection.exec_driver_sql("SHOW fsync").scalar()
    if durable != "on":
        return Check(
            "server",
            False,
            f"Postgres {version} without fsync: a power failure can destroy the store.",
            "set fsync = on in the server's postgresql.conf",
        )
    return Check("server", True, f"Postgres {version}.")


def _role(connection: Connection) -> Check:
    may = may_insert(connection)
    name = connection.exec_driver_sql("SELECT current_user").scalar()
    text = "read and write the store" if may else "read the store, but not write it"
    return Check("permission", True, f"the role {name} may {text}.")


def _server_clock(connection: Connection, now: datetime) -> Check:
    server_time = connection.exec_driver_sql("SELECT clock_timestamp()").scalar()
    assert isinstance(server_time, datetime)  # noqa: S101
    difference = server_time.astimezone(UTC) - now
    if abs(difference) > TOLERANCE:
        where = "ahead of" if difference > timedelta() else "behind"
        return Check(
            "server's clock",
            False,
            f"it is {_seconds(difference)} {where} the clock of this machine.",
            "set both clocks from the same time server",
        )
    return Check("server's clock", True, "it agrees with the clock of this machine.")


def _last_entry(connection: Connection, rule: ClockRule, now: datetime) -> Check:
    last = read_moment(connection, None).at
    if last is None:
        return Check("clock", True, "nothing is recorded yet.")
    behind = last - now
    if behind > rule.tolerance:
        wrong = wrong_times(connection, now)
        entries = f"entry {wrong.last} of the log has a time"
        if wrong.first < wrong.last:
            entries = f"entries {wrong.first} to {wrong.last} of the log have times"
        return Check(
            "clock",
            False,
            f"{entries} up to {days(behind)} ahead of the clock of this machine, and all later "
            "ones would have: they were recorded by a machine with a wrong clock, unless that of "
            "this machine is wrong.",
            "compare the clock of this machine with another one; if it is right, run calib audit "
            f"clock --reason 'wrong clock' --clock-checked {rule.location.option}",
        )
    if behind > TOLERANCE:
        return Check(
            "clock",
            False,
            f"it is {_seconds(behind)} behind the last entry of the log; until then, each entry is "
            "recorded one microsecond after the one before.",
            "set the clock of this machine; if it is right, look for the entry with the wrong time "
            "(calib audit log)",
        )
    age = max(-behind, timedelta())
    return Check("clock", True, f"the last entry of the log is {_seconds(age)} old.")


def _seconds(difference: timedelta) -> str:
    seconds = abs(difference.total_seconds())
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
