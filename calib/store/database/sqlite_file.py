"""A store's SQLite file, opened with or without write access (docs/decisions/0004).

Users with write access open the file as usual. Without write access SQLite cannot create the two
files that a write-ahead log needs (``-wal`` and ``-shm``). If they exist, the file is read together
with them. If they do not, nobody is writing: the file is opened as immutable, and a fingerprint
taken before and after the read shows whether it was changed meanwhile. On a full disk SQLite cannot
create them either, and users with write access read in the same way.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn
from urllib.parse import quote

from calib.config.location import Location
from calib.errors import StoreError
from calib.store.database import errors
from calib.store.database.file_fingerprint import FileFingerprint
from calib.store.database.journal import Journal, has_wal, leave_wal, set_journal_mode

_PAUSE_SECONDS = 0.005
_ABANDONED_SECONDS = 2.0
"""A running writer removes the index just before its log, creates it just after, and rolls back
interrupted writes at once: a file left unchanged for so long belongs to no running program."""
_GONE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY)


_KEPT = ("", "-wal", "-shm")
"""Endings of the files that stay as they are while a connection with write access is open."""

Identity = tuple[int, int]
"""Device and inode of a file."""


class FileConnection(sqlite3.Connection):
    """A connection with what must still be valid when it is used again."""

    fingerprint: FileFingerprint | None = None
    """None where SQLite's locks give the read a consistent snapshot."""
    names: tuple[str, ...] = ()
    """The store's file, its log and the log's index, whether they exist or not; links resolved."""
    files: Mapping[str, Identity] = MappingProxyType({})
    """Those that exist, as far as is known."""

    def lost_files(self) -> list[Path]:
        """Those of ``files`` that were deleted or replaced meanwhile."""
        return [Path(name) for name, known in self.files.items() if _identity(name) != known]

    def close(self) -> None:
        """Close the connection, which copies its log into the database if it is the last one.

        Where another log has taken its place, the connection stays open until the process ends: to
        close it would mix both, and delete the other.
        """
        if any(_identity(path) is not None for path in self.lost_files()):
            import ctypes

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
            return
        super().close()


def _identity(path: str | Path) -> Identity | None:
    """None where there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast as a Path; asked at each read
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True, slots=True)
class StoreFile:
    """The SQLite file of a store, with the options for opening it."""

    location: Location
    path: Path
    read_only: bool
    wait_seconds: float
    foreign_keys: bool
    journal: Journal
    network: str
    """Type of the network file system it is on; empty on a local one."""

    @property
    def may_write(self) -> bool:
        """Whether this user has write access to the file, its folder and its log files."""
        real = Path(os.path.realpath(self.path))
        if not all(os.access(name, os.W_OK) for name in (real, real.parent)):
            return False
        return not any(_is_write_protected(name) for name in self.beside("-wal", "-shm"))

    def beside(self, *endings: str) -> list[Path]:
        """Paths of the files that SQLite keeps beside this one, after resolving links."""
        real = os.path.realpath(self.path)
        return [Path(f"{real}{ending}") for ending in endings]

    def connect_reader(self) -> FileConnection:
        """Open a connection without write access; at least one page has been read."""
        try:
            return self._connect_retrying()
        except StoreError:
            raise
        except OSError as error:  # moved, or no longer readable
            raise errors.unreadable(self.location, error.strerror or str(error)) from None

    def _connect_retrying(self) -> FileConnection:
        end = time.monotonic() + self.wait_seconds
        left, since = None, time.monotonic()
        while True:
            try:
                return self._connect_beside_writers()
            except sqlite3.OperationalError as error:
                # A writer started or ended between the check and the opening.
                if not self._is_transient(error.sqlite_errorcode):
                    raise
                now, seen = time.monotonic(), self._abandoned_journal()
                if seen is None or seen != left:
                    left, since = seen, now
                elif now - since > min(_ABANDONED_SECONDS, self.wait_seconds):
                    raise errors.write_interrupted(self.location) from None
                if now > end:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _is_transient(self, code: int) -> bool:
        if code == sqlite3.SQLITE_READONLY_ROLLBACK:
            return True
        return code & 0xFF in _GONE and has_wal(self.path)

    def _abandoned_journal(self) -> tuple[int, int, int] | None:
        """Inode, size and time of a log without its index, or of the journal of a write that has
        not ended; None if there is neither."""
        log, index, rollback = self.beside("-wal", "-shm", "-journal")
        for name in (rollback,) if index.exists() else (log, rollback):
            with contextlib.suppress(FileNotFoundError):
                found = name.stat()
                return found.st_ino, found.st_size, found.st_mtime_ns
        return None

    def connect_writer(self) -> FileConnection:
        """Open a connection with write access, with ``query_only`` if the store is read-only."""
        connection = self._open("mode=rw", at_once=not (self.network and has_wal(self.path)))
        try:
            if self.network and has_wal(self.path) and not leave_wal(connection):
                self._refuse_wal()
            connection.execute(f"PRAGMA query_only = {'ON' if self.read_only else 'OFF'}")
        except BaseException:
            connection.close()
            raise
        return connection

    def ensure_journal_mode(self, connection: FileConnection) -> None:
        """Set the journal mode that the settings ask for, before a write."""
        if not self.network:
            set_journal_mode(connection, self.journal)
            connection.files = {}  # another mode has other files

    def check_files(self, connection: FileConnection) -> None:
        """Raise ``IntegrityError`` (``store-log-lost``) if a file that the connection has open was
        deleted or replaced: what it writes would be lost."""
        if not connection.names:
            connection.names = tuple(map(str, self.beside(*_KEPT)))
        found = {name: _identity(name) for name in connection.names}
        lost = [Path(name) for name, known in connection.files.items() if found[name] != known]
        if lost:
            raise errors.log_lost(self.location, lost)
        connection.files = {name: one for name, one in found.items() if one is not None}

    def _refuse_wal(self) -> NoReturn:
        raise errors.wal_on_network(self.location, self.network)

    def _connect_beside_writers(self) -> FileConnection:
        if not has_wal(self.path):
            return self._open("mode=ro")
        log, rollback = self.beside("-wal", "-journal")
        if self.network and log.exists():
            self._refuse_wal()
        if log.exists() or rollback.exists():
            return self._open_beside_log()
        fingerprint = FileFingerprint.once_stable(self.path, self.wait_seconds)
        if fingerprint is None:
            raise errors.store_changed(self.location)
        if (
            log.exists() or rollback.exists()
        ):  # a writer started meanwhile: the fingerprint does not apply
            return self._connect_beside_writers()
        connection = self._open("immutable=1")
        connection.fingerprint = fingerprint
        return connection

    def _open_beside_log(self) -> FileConnection:
        """Open without write access; on a full disk without a new index of the log either."""
        try:
            return self._open("mode=ro")
        except sqlite3.OperationalError as error:
            if not errors.is_out_of_space(error, self.path):
                raise
            return self._open("mode=ro&readonly_shm=1")

    def _open(self, how: str, *, at_once: bool = True) -> FileConnection:
        # isolation_level None: the driver does not begin or commit transactions by itself.
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?{how}",
            uri=True,
            timeout=self.wait_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=FileConnection,
        )
        try:
            connection.execute(f"PRAGMA foreign_keys = {'ON' if self.foreign_keys else 'OFF'}")
            connection.execute("PRAGMA synchronous = FULL")
            if at_once:
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


def _is_write_protected(path: Path) -> bool:
    """Whether the file exists and this user may not write it.

    The last connection that closes removes the log and its index. If the file disappears or is
    replaced between the checks, they are repeated: a missing file is not write-protected.
    """
    while True:
        try:
            before = path.stat()
        except FileNotFoundError:
            return False
        if os.access(path, os.W_OK):
            return False
        with contextlib.suppress(FileNotFoundError):
            after = path.stat()
            if (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns):
                return True
