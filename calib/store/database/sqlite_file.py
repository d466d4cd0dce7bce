"""A store's SQLite file, and how this user can open it (docs/decisions/0004).

Who may write opens it in the common way. Who may not is a guest, who cannot make the two files that
a write-ahead log needs beside it. Where they exist he reads through them; where they do not, nobody
writes, and he reads the file alone and proves afterwards that it was not changed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from calib.config.location import Location
from calib.errors import StoreError
from calib.store.database import errors
from calib.store.database.file_fingerprint import FileFingerprint
from calib.store.database.journal import Journal, end_wal, has_wal, settle

_PAUSE_SECONDS = 0.005
_ABANDONED_SECONDS = 2.0
"""A writer removes the index just before its log and makes it just after, and undoes at once what
another one left behind: what stands for so long belongs to nobody."""
_GONE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY)


class FileConnection(sqlite3.Connection):
    """A connection which knows what it must prove after a read."""

    evidence: FileFingerprint | None = None
    """None where SQLite's own locks see to it that a read is of one moment."""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """One file, as one user opens it."""

    location: Location
    path: Path
    read_only: bool
    wait_seconds: float
    foreign_keys: bool
    journal: Journal
    network: str
    """The network file system that it lies on; empty on a local one."""

    @property
    def may_write(self) -> bool:
        """Whether this user may: the journal lies beside the file, so the folder counts as well."""
        real = Path(os.path.realpath(self.path))
        if not all(os.access(name, os.W_OK) for name in (real, real.parent)):
            return False
        return not any(_is_write_protected(name) for name in self.beside("-wal", "-shm"))

    def beside(self, *endings: str) -> list[Path]:
        """The files that SQLite keeps beside this one; links are followed, as it does."""
        real = os.path.realpath(self.path)
        return [Path(f"{real}{ending}") for ending in endings]

    def as_guest(self) -> FileConnection:
        """A new connection of who may not write, proven to reach the store."""
        try:
            return self._between_writers()
        except StoreError:
            raise
        except OSError as error:  # the file was moved away, or may not be read any more
            raise errors.unreadable(self.location, error.strerror or str(error)) from None

    def _between_writers(self) -> FileConnection:
        end = time.monotonic() + self.wait_seconds
        left, since = None, time.monotonic()
        while True:
            try:
                return self._beside_writers()
            except sqlite3.OperationalError as error:
                # A writer came or went between the look and the opening.
                if not self._may_pass(error.sqlite_errorcode):
                    raise
                now, seen = time.monotonic(), self._left_behind()
                if seen is None or seen != left:
                    left, since = seen, now
                elif now - since > min(_ABANDONED_SECONDS, self.wait_seconds):
                    raise errors.interrupted(self.location) from None
                if now > end:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _may_pass(self, code: int) -> bool:
        if code == sqlite3.SQLITE_READONLY_ROLLBACK:
            return True
        return code & 0xFF in _GONE and has_wal(self.path)

    def _left_behind(self) -> tuple[int, int, int] | None:
        """Which log (file, size, time of change) lies here without its index, or which journal of a
        write that nobody has ended."""
        log, index, rollback = self.beside("-wal", "-shm", "-journal")
        for name in (rollback,) if index.exists() else (log, rollback):
            with contextlib.suppress(FileNotFoundError):
                found = name.stat()
                return found.st_ino, found.st_size, found.st_mtime_ns
        return None

    def as_writer(self) -> FileConnection:
        """A new connection of who may write, also where the store is opened for reading."""
        connection = self._open("mode=rw", at_once=not (self.network and has_wal(self.path)))
        try:
            if self.network and has_wal(self.path) and not end_wal(connection):
                self._refuse_wal()
            connection.execute(f"PRAGMA query_only = {'ON' if self.read_only else 'OFF'}")
        except BaseException:
            connection.close()
            raise
        return connection

    def settle(self, connection: sqlite3.Connection) -> None:
        """See to it, before a write, that the store has the journal which it should have."""
        if not self.network:
            settle(connection, self.journal)

    def _refuse_wal(self) -> NoReturn:
        raise errors.on_network(self.location, self.network)

    def _beside_writers(self) -> FileConnection:
        if not has_wal(self.path):
            return self._open("mode=ro")
        log, rollback = self.beside("-wal", "-journal")
        if self.network and log.exists():
            self._refuse_wal()
        if log.exists() or rollback.exists():
            return self._open("mode=ro")
        evidence = FileFingerprint.settled(self.path, self.wait_seconds)
        if evidence is None:
            raise errors.changing(self.location)
        if log.exists() or rollback.exists():  # again: what was gathered is of a file without them
            return self._beside_writers()
        connection = self._open("immutable=1")
        connection.evidence = evidence
        return connection

    def _open(self, how: str, *, at_once: bool = True) -> FileConnection:
        # isolation_level None: the driver begins and commits nothing by itself.
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
    """Whether a file is there which this user may not write.

    The last connection that closes removes the log and its index. A file that disappears between
    two looks is asked for again: to be gone is not to be write-protected.
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
