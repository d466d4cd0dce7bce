"""Which journal a store's file keeps: a write-ahead log, or a rollback journal where the file lies
on a network file system (or the settings say so).

With a write-ahead log (WAL) readers and the writer never wait for each other. It needs memory that
all users of the file share, so it is not valid between machines.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path

_FORMATS = slice(18, 20)  # of the file's header: the versions that writers and readers need
_WAL_FORMATS = b"\x02\x02"


class Journal(StrEnum):
    """What the settings may say."""

    AUTO = "auto"
    """A write-ahead log, or a rollback journal on a network file system."""
    ROLLBACK = "rollback"
    """A rollback journal wherever the file lies."""


def has_wal(path: Path) -> bool:
    """Whether a file is in WAL mode, as its header says."""
    with path.open("rb") as opened:
        return opened.read(100)[_FORMATS] == _WAL_FORMATS


def settle(connection: sqlite3.Connection, journal: Journal) -> None:
    """Bring a store's file to the journal that it should have, on a local file system.

    A file that is in use goes on with the one that it has: both are safe.
    """
    wanted = "delete" if journal is Journal.ROLLBACK else "wal"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == wanted:
        return
    waiting = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute(f"PRAGMA journal_mode = {wanted}")
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {waiting}")


def end_wal(connection: sqlite3.Connection) -> bool:
    """Give a file on a network file system a rollback journal; False where it is in use.

    To be called before anything is read: WAL needs no shared memory while one holds it alone.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        kept = connection.execute("PRAGMA journal_mode = delete").fetchone()[0]
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # lets go of the lock
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        return False
    return bool(kept == "delete")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
