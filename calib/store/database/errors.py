"""Database errors as ``CalibError``: locked, read-only, full, damaged, unreachable."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError, StatementError

from calib.config.location import Location
from calib.errors import CalibError, InputError, IntegrityError, StoreError, StoreReadOnlyError
from calib.passwords import without_password
from calib.store.database.file_system import disk_is_full

_READ_ONLY_REMEDY = (
    "ask a user with write access; `calib apply` writes a receipt, which that user can record "
    "with `calib usage push`."
)
UNREACHABLE = "store-unreachable"
"""Error code for a server that does not answer."""
LOST_SECONDS = 10.0
"""How long a command retries after it lost a server that had answered: it may be restarting."""
PAUSE_SECONDS = 0.2
_LOCKED_REMEDY = "wait until the other program has finished, then try again."
_OUT_OF_SPACE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_REFUSED = ("09", "0A", "22", "23", "2F", "39", "44", "P0")
"""Classes of errors of a server that triggers, rules and constraints raise."""
_MISSING = ("42P01", "42703", "42883")
_FULL_REMEDY = "free some space, then try again; the store is unchanged."


@contextlib.contextmanager
def translate_errors(location: Location, *, writing: bool = False) -> Iterator[None]:
    """Raise database errors as ``CalibError``; errors that only a bug can cause pass unchanged."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, CalibError):
            raise error.orig from None
        failure = None
        if isinstance(error, DBAPIError):
            failure = store_failure(error, location, writing=writing)
        if failure is None:
            raise
        raise failure from None
    except sqlite3.Error as error:
        failure = _sqlite_failure(error, location)
        if failure is None:
            raise
        raise failure from None


def store_failure(error: DBAPIError, location: Location, *, writing: bool) -> CalibError | None:
    """The error to show to the user; None for an error that only a bug can cause."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_failure(error.orig, location)
    return _postgres_failure(error, location, writing=writing)


def read_only(location: Location) -> StoreReadOnlyError:
    """The error for a write without write access."""
    return StoreReadOnlyError(
        "store-read-only",
        "this user may read the store, but not write to it.",
        place=location.shown,
        remedy=_READ_ONLY_REMEDY,
    )


def disk_full(location: Location) -> StoreError:
    """The error for a disk without space."""
    return StoreError("disk-full", "the disk is full.", place=location.shown, remedy=_FULL_REMEDY)


def is_out_of_space(error: BaseException | None, path: Path) -> bool:
    """Whether SQLite failed because the disk is full, which it often calls an I/O error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return True
    return code in _OUT_OF_SPACE and disk_is_full(Path(os.path.realpath(path)).parent)


def unreadable(location: Location, reason: str) -> StoreError:
    """The error for a store that this user may not read."""
    return StoreError(
        "store-unreadable",
        f"the store cannot be read: {reason}.",
        place=location.shown,
        remedy="ask its owner for permission to read it.",
    )


def locked(location: Location) -> StoreError:
    """The error for a write lock that was not obtained in time."""
    return StoreError(
        "store-locked",
        "another program is writing to the store and did not finish in time.",
        place=location.shown,
        remedy=_LOCKED_REMEDY,
    )


class StoreChangedError(StoreError):
    """The store was changed during a read without locks; the read should be repeated."""


def store_changed(location: Location) -> StoreChangedError:
    """The error for a read that did not see one snapshot."""
    return StoreChangedError(
        "store-changing",
        "the store was changed repeatedly while it was read.",
        place=location.shown,
        remedy="try again.",
    )


def is_transient(error: Exception) -> bool:
    """Whether a read without write access failed only because a writer was starting or ending.

    A read needs write access only to recover a log, its index or the journal of a killed writer. If
    one of them appeared, disappeared or was incomplete since the file was opened, a new connection
    succeeds; if it is there to stay, the new connection reports it.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class StoreLostError(StoreError):
    """The connection to a server was lost during a read; the read should be repeated."""


def server_lost(error: StoreError) -> StoreLostError:
    """The error of a lost server, for a read that can be repeated."""
    return StoreLostError(error.code, error.problem, place=error.place, remedy=error.remedy)


def commit_uncertain(location: Location) -> StoreError:
    """The error for a connection that was lost during a commit."""
    return StoreError(
        UNREACHABLE,
        "the connection to the database server was lost during the commit, so it is not known "
        "whether the change was recorded.",
        place=location.shown,
        remedy="check whether it was recorded (calib audit log --last 5) before you repeat it.",
    )


def not_unicode(location: Location, problem: str) -> InputError:
    """The error for a database whose encoding is not UTF-8."""
    return InputError(
        "not-unicode",
        f"{problem}.",
        place=location.shown,
        remedy="create a database with createdb --encoding UTF8 --template template0; calib db "
        "backup and calib db restore copy a store into it.",
    )


def write_refused(location: Location, reason: str) -> IntegrityError:
    """The error for a change that a trigger or a constraint of the database refused: calib itself
    writes nothing that its own tables refuse."""
    return IntegrityError(
        "write-refused",
        f"the database refused the change ({reason}); nothing was recorded.",
        place=location.shown,
        remedy="calib db check names what calib did not make, such as triggers and indexes.",
    )


def write_interrupted(location: Location) -> StoreReadOnlyError:
    """The error for an interrupted write that only a user with write access can roll back."""
    return StoreReadOnlyError(
        "store-interrupted",
        "a write was interrupted, and only a user with write access can roll it back.",
        place=location.shown,
        remedy="ask a user with write access to run any calib command on this store; then try "
        "again.",
    )


def log_lost(location: Location, lost: Sequence[Path]) -> IntegrityError:
    """The error for files of the store that were deleted while they were open."""
    names = " and ".join(path.name for path in lost)
    return IntegrityError(
        "store-log-lost",
        f"{names} was deleted or replaced while this program had the store open; what was written "
        "since then may be lost.",
        place=location.shown,
        remedy="run calib audit verify and repeat what is missing; files beside a store must not "
        "be touched while it is in use.",
    )


def wal_on_network(location: Location, network: str) -> StoreError:
    """The error for a write-ahead log in use on a network file system."""
    return StoreError(
        "store-on-network",
        f"the store has a write-ahead log in use, which does not work on a network file system "
        f"({network}).",
        place=location.shown,
        remedy="end the programs that use it, then run, with write access, "
        f"calib db upgrade {location.option}.",
    )


def _sqlite_failure(error: sqlite3.Error, location: Location) -> CalibError | None:
    code = getattr(error, "sqlite_errorcode", None)
    place = location.shown
    if "Could not decode to UTF-8" in str(error):
        return IntegrityError(
            "store-broken",
            "the database file is damaged (it contains text that is not UTF-8).",
            place=place,
            remedy="restore the store from a backup.",
        )
    if code is None:
        return None
    if location.path is not None and is_out_of_space(error, location.path):
        return disk_full(location)
    if code in (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY):
        return write_interrupted(location)
    match code & 0xFF:
        # SQLITE_PROTOCOL: other connections won the race for the WAL lock many times in a row.
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return locked(location)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return read_only(location)
        case sqlite3.SQLITE_NOTADB:
            return InputError(
                "not-a-store",
                "this file is not an SQLite database.",
                place=place,
                remedy="name the store with --store PATH.",
            )
        case sqlite3.SQLITE_CORRUPT:
            return IntegrityError(
                "store-broken",
                f"the database file is damaged ({error}).",
                place=place,
                remedy="restore the store from a backup.",
            )
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            name = getattr(error, "sqlite_errorname", "")
            return StoreError(
                "store-unreadable" if code & 0xFF == sqlite3.SQLITE_CANTOPEN else "disk-failed",
                f"the store could not be read or written ({error}; {name}).",
                place=place,
                remedy="check the disk, the folder and its permissions, then try again.",
            )
        case sqlite3.SQLITE_CONSTRAINT:
            return write_refused(location, str(error))
        case sqlite3.SQLITE_ERROR if str(error).startswith("no such "):
            return IntegrityError(
                "store-broken",
                f"a table or column of the store is missing ({error}).",
                place=place,
                remedy="calib db check lists what is missing; restore the store from a backup.",
            )
    return None


def _postgres_failure(error: DBAPIError, location: Location, *, writing: bool) -> CalibError | None:
    original: Any = error.orig
    state = str(getattr(original, "sqlstate", None) or "")
    text = without_password(str(original)).strip()
    reason = text.splitlines()[0] if text else type(original).__name__
    place = location.shown
    if state == "55P03":
        return locked(location)
    if state in ("40001", "40P01"):  # conflict with an upgrade or, on a standby, with replication
        return locked(location) if writing else store_changed(location)
    if state == "22P05":
        return not_unicode(location, "the database's encoding cannot hold this text")
    if state in ("42501", "25006"):
        return read_only(location) if writing else unreadable(location, reason)
    if state == "53100":
        return StoreError(
            "disk-full", "the server's disk is full.", place=place, remedy=_FULL_REMEDY
        )
    if state.startswith("28") or "authentication failed" in text or "no password" in text:
        return StoreError(
            "store-refused",
            f"the server refused this user or password ({reason}).",
            place=place,
            remedy="check the user and the password (PGPASSWORD or ~/.pgpass keep it off the "
            "command line).",
        )
    if state == "3D000" or ("database" in text and "does not exist" in text):
        return InputError(
            "no-store",
            "the server has no such database.",
            place=place,
            remedy=f"createdb, then calib init {location.option}.",
        )
    gone = not state and type(original).__name__ in ("OperationalError", "ConnectionTimeout")
    if gone or state[:2] in ("08", "53", "57") or state == "25P03":
        return StoreError(
            UNREACHABLE,
            f"the database server does not answer ({reason}).",
            place=place,
            remedy="check that the server runs and can be reached from here, then try again.",
        )
    if state in _MISSING:
        return IntegrityError(
            "store-broken",
            f"a table, column or function of the store is missing ({reason}).",
            place=place,
            remedy="restore the store from a backup.",
        )
    if writing and state[:2] in _REFUSED:
        return write_refused(location, reason)
    if state[:2] in ("XX", "58"):
        return StoreError(
            "store-failed",
            f"the database server failed ({reason}).",
            place=place,
            remedy="try again.",
        )
    return None
