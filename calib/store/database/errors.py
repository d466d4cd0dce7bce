"""What went wrong in a database, in words: locked, read-only, full, broken, away."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import DBAPIError, StatementError

from calib.config.location import Location, without_password
from calib.errors import CalibError, InputError, IntegrityError, StoreError, StoreReadOnlyError

READ_ONLY_REMEDY = (
    "ask somebody who may write it; `calib apply` writes a receipt, which `calib usage push` "
    "delivers later."
)
UNREACHABLE = "store-unreachable"
"""The code of all trouble with a server that does not answer."""
LOST_SECONDS = 10.0
"""So long a server that had answered may be away before a command gives up: it may be restarted."""
PAUSE_SECONDS = 0.2
_LOCKED_REMEDY = "try again when the other program is done."
_FULL_REMEDY = "free some space; the store holds what it held before."


@contextlib.contextmanager
def told_plainly(location: Location, *, writing: bool = False) -> Iterator[None]:
    """Database errors leave as ``CalibError``, those that are bugs as they are."""
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
    """The error that a person should see; None for what only a bug can cause."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_failure(error.orig, location)
    return _postgres_failure(error, location, writing=writing)


def read_only(location: Location) -> StoreReadOnlyError:
    """The refusal to write what this user may only read."""
    return StoreReadOnlyError(
        "store-read-only",
        "this user may read the store, but not write it.",
        place=location.shown,
        remedy=READ_ONLY_REMEDY,
    )


def unreadable(location: Location, reason: str) -> StoreError:
    """The refusal to let this user read."""
    return StoreError(
        "store-unreadable",
        f"the store cannot be read: {reason}.",
        place=location.shown,
        remedy="ask its owner for permission to read it.",
    )


def locked(location: Location) -> StoreError:
    """The store did not become free within the time that was given."""
    return StoreError(
        "store-locked",
        "another program is writing to the store and did not finish in time.",
        place=location.shown,
        remedy=_LOCKED_REMEDY,
    )


class StoreChangedError(StoreError):
    """The store was changed while it was read: to be read again."""


def changing(location: Location) -> StoreChangedError:
    """What was read is not of one moment."""
    return StoreChangedError(
        "store-changing",
        "the store was changed again and again while it was read.",
        place=location.shown,
        remedy="try again.",
    )


def is_passing(error: Exception) -> bool:
    """Whether a guest met a writer in the middle of his work, which is over in no time.

    He reads, so SQLite can miss the right to write only where a log, its index or the journal of a
    killed writer came, went or was half there since he opened the file. Where one of these stays,
    the next connection finds out.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class StoreLostError(StoreError):
    """A server that had answered went away during a read: to be asked again."""


def lost(error: StoreError) -> StoreLostError:
    """The same trouble, met by a read."""
    return StoreLostError(error.code, error.problem, place=error.place, remedy=error.remedy)


def uncertain(location: Location) -> StoreError:
    """The server went away during the very commit."""
    return StoreError(
        UNREACHABLE,
        "the database server went away while the change was committed, so it is not known whether "
        "it was recorded.",
        place=location.shown,
        remedy="look whether it is there (calib audit log --last 5) before you try again.",
    )


def without_unicode(location: Location, problem: str) -> InputError:
    """A database whose encoding is not Unicode."""
    return InputError(
        "not-unicode",
        f"{problem}.",
        place=location.shown,
        remedy="a database made with createdb --encoding UTF8 --template template0; calib db "
        "backup and calib db restore carry a store to it.",
    )


def interrupted(location: Location) -> StoreReadOnlyError:
    """A write was broken off, and this user cannot put it right."""
    return StoreReadOnlyError(
        "store-interrupted",
        "a write was interrupted, and only somebody who may write the store can undo it.",
        place=location.shown,
        remedy="let such a user run any calib command on this store, then try again.",
    )


def on_network(location: Location, network: str) -> StoreError:
    """A write-ahead log in use on a file system over a network."""
    return StoreError(
        "store-on-network",
        f"the store has a write-ahead log in use, which is not valid on a network file system "
        f"({network}).",
        place=location.shown,
        remedy="end the programs that use it; then let somebody who may write it run "
        f"calib db upgrade {location.option}.",
    )


def _sqlite_failure(error: sqlite3.Error, location: Location) -> CalibError | None:
    code = getattr(error, "sqlite_errorcode", None)
    place = location.shown
    if "Could not decode to UTF-8" in str(error):
        return IntegrityError(
            "store-broken",
            "the database file is damaged (text in it is no UTF-8).",
            place=place,
            remedy="restore the store from a backup.",
        )
    if code is None:
        return None
    if code in (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY):
        return interrupted(location)
    match code & 0xFF:
        # "Locking protocol": others came in between a hundred times.
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return locked(location)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return read_only(location)
        case sqlite3.SQLITE_FULL:
            return StoreError("disk-full", "the disk is full.", place=place, remedy=_FULL_REMEDY)
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
        case sqlite3.SQLITE_ERROR if str(error).startswith("no such "):
            return IntegrityError(
                "store-broken",
                f"the tables are not as the migrations made them ({error}).",
                place=place,
                remedy="calib db check, then restore the store from a backup.",
            )
    return None


def _postgres_failure(error: DBAPIError, location: Location, *, writing: bool) -> CalibError | None:
    original: Any = error.orig
    state = str(getattr(original, "sqlstate", None) or "")
    text = without_password(str(original)).strip()
    said = text.splitlines()[0] if text else type(original).__name__
    place = location.shown
    if state == "55P03":
        return locked(location)
    if state in ("40001", "40P01"):  # an upgrade, or the primary of a standby, was in the way
        return locked(location) if writing else changing(location)
    if state == "22P05":
        return without_unicode(location, "the database's encoding cannot hold this text")
    if state in ("42501", "25006"):
        return read_only(location) if writing else unreadable(location, said)
    if state == "53100":
        return StoreError(
            "disk-full", "the server's disk is full.", place=place, remedy=_FULL_REMEDY
        )
    if state.startswith("28") or "authentication failed" in text or "no password" in text:
        return StoreError(
            "store-refused",
            f"the server refused this user or password ({said}).",
            place=place,
            remedy="check user and password (PGPASSWORD, or a ~/.pgpass file, keep it off the "
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
            f"the database server does not answer ({said}).",
            place=place,
            remedy="check that it runs and can be reached from here, then try again.",
        )
    if state[:2] in ("XX", "58"):
        return StoreError(
            "store-failed",
            f"the database server failed ({said}).",
            place=place,
            remedy="try again.",
        )
    return None
