"""Journal mode of a store's SQLite file: write-ahead log, or rollback journal if the file is on a
network file system or the settings ask for it.

With a write-ahead log (WAL) readers and the writer never block each other. WAL needs shared memory,
so it does not work between machines.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path

_FORMATS = slice(18, 20)  # in the file header: format versions for writing and for reading
_WAL_FORMATS = b"\x02\x02"


class Journal(StrEnum):
    """Values of the setting ``journal``."""

    AUTO = "auto"
    """Write-ahead log, or rollback journal on a network file system."""
    ROLLBACK = "rollback"
    """Rollback journal on any file system."""


def has_wal(path: Path) -> bool:
    """Whether the header of a file states WAL mode."""
    with path.open("rb") as opened:
        return opened.read(100)[_FORMATS] == _WAL_FORMATS


def set_journal_mode(connection: sqlite3.Connection, journal: Journal) -> None:
    """Change a file on a local file system to the journal mode that the setting asks for.

    A file in use keeps its mode: both are safe.
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


def leave_wal(connection: sqlite3.Connection) -> bool:
    """Change a file on a network file system to a rollback journal; False if it is in use.

    Call it before anything is read: in exclusive locking mode WAL needs no shared memory.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        kept = connection.execute("PRAGMA journal_mode = delete").fetchone()[0]
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # releases the lock
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        return False
    return bool(kept == "delete")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
