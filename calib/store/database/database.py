"""A connection to one store: how reads and writes are framed on SQLite and on Postgres.

A read sees one snapshot. A write is serialised with all others before it reads anything: BEGIN
IMMEDIATE on SQLite, an advisory lock as its first statement on Postgres. Both are whole or nothing.
On SQLite readers and the writer never wait for each other, except on network file systems
(``calib.store.database.journal``).
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.config.settings import read_settings
from calib.errors import InputError, StoreError
from calib.store.database import errors
from calib.store.database.engines import WRITES, postgres_engine, sqlite_connection, sqlite_engine
from calib.store.database.file_system import network_file_system
from calib.store.database.journal import Journal
from calib.store.database.read_connections import Readers
from calib.store.database.sqlite_file import StoreFile

ADVISORY_LOCK = 0x63616C6962
"""The Postgres lock that writers hold ("calib" in ASCII)."""


class Database:
    """One store's engine, with the two ways to use it: ``reading`` and ``writing``."""

    def __init__(
        self,
        location: Location,
        *,
        read_only: bool = False,
        wait_seconds: float | None = None,
        foreign_keys: bool = True,
        draft: Path | None = None,
        journal: Journal | None = None,
    ) -> None:
        """``foreign_keys`` are off for migrations; ``draft`` is the file that will be the store.

        What is None is as the settings say.
        """
        self.before_write: Callable[[Connection, Location], None] | None = None
        self.n_writes = 0
        """How many writes this process began."""
        self._reached = False
        settings = read_settings()
        if wait_seconds is None:
            wait_seconds = settings.wait_seconds
        self.location = location
        if location.path is not None:
            path = draft or location.path
            self._file = StoreFile(
                location,
                path,
                read_only=read_only,
                wait_seconds=wait_seconds,
                foreign_keys=foreign_keys,
                journal=Journal(settings.journal) if journal is None else journal,
                network=network_file_system(path),
            )
            # Once for all: files of other users come and go beside it.
            guest = not self._file.may_write
            read_only = read_only or guest
            self._engine = sqlite_engine(self._file, guest=guest)
            self._readers = None if guest else Readers(self._engine)
        else:
            self._engine = postgres_engine(location, wait_seconds, settings.connect_seconds)
            self._readers = None

        self.refusal = errors.read_only(location) if read_only else None

    @property
    def read_only(self) -> bool:
        """Whether writing is known to be refused."""
        return self.refusal is not None

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file."""
        return self.location.path is not None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which everything read comes from one moment.

        Raises ``StoreChangedError`` at the end, whatever was read, where it does not, and
        ``StoreLostError`` where a server that had answered does not any more
        (``calib.store.database.retry`` asks again).
        """
        try:
            with errors.told_plainly(self.location), self._reader() as connection:
                yield connection
        except StoreError as error:
            if self._reached and error.code == errors.UNREACHABLE:
                raise errors.lost(error) from None
            raise

    def _reader(self) -> contextlib.AbstractContextManager[Connection]:
        return self._read_anew() if self._readers is None else self._readers.reading()

    @contextlib.contextmanager
    def _read_anew(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            self._reached = True
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            evidence = sqlite_connection(connection).evidence if self.is_sqlite else None
            try:
                with connection.begin():
                    yield connection
            except Exception as error:
                changed = evidence is not None and not evidence.holds()
                if changed or errors.is_passing(error):
                    raise errors.changing(self.location) from None
                raise
            if evidence is not None and not evidence.holds():
                raise errors.changing(self.location)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that no other writer shares; committed at the end, or nothing is.

        Raises ``StoreReadOnlyError`` where this user may not write, and ``StoreError``
        (``store-locked``) where another writer does not finish in time.
        """
        if self.refusal is not None:
            raise self.refusal
        with errors.told_plainly(self.location, writing=True), self._begun() as connection:
            if self.before_write is not None:
                self.before_write(connection, self.location)
            self.n_writes += 1
            yield connection
            try:
                connection.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise errors.uncertain(self.location) from None
                raise

    def _begun(self) -> Connection:
        """A write that nobody else shares, begun again where a server closed the connection
        before: then nothing was written yet."""
        end, lost = time.monotonic() + errors.LOST_SECONDS, False
        while True:
            try:
                return self._begin()
            except DBAPIError as error:
                lost = lost or error.connection_invalidated
                state = getattr(error.orig, "sqlstate", None)
                away = error.connection_invalidated or state is None
                if self.is_sqlite or not (lost and away) or time.monotonic() > end:
                    raise
            time.sleep(errors.PAUSE_SECONDS)

    def _begin(self) -> Connection:
        self._let_go()
        connection = self._engine.connect()
        try:
            if self.is_sqlite:
                self._file.settle(sqlite_connection(connection))
            connection.execution_options(**{WRITES: True})
            if not self.is_sqlite:
                connection.execution_options(isolation_level="READ COMMITTED")
            connection.begin()
            if not self.is_sqlite:
                # Read committed: what others wrote while the lock was waited for is seen.
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}
                )
        except BaseException:
            connection.close()
            raise
        self._reached = True
        return connection

    @contextlib.contextmanager
    def connecting(self) -> Iterator[Connection]:
        """A connection outside any transaction, for SQLite's own copying of whole files."""
        self._let_go()
        with (
            errors.told_plainly(self.location, writing=True),
            self._engine.connect() as connection,
        ):
            yield connection

    @property
    def file(self) -> StoreFile | None:
        """The file; None for a server."""
        return self._file if self.is_sqlite else None

    def close(self) -> None:
        """Let go of all connections."""
        self._let_go()
        self._engine.dispose()

    def _let_go(self) -> None:
        if self._readers is not None:
            self._readers.let_go()


def may_insert(connection: Connection) -> bool:
    """Whether a server lets this role write."""
    found = connection.exec_driver_sql(
        "SELECT has_table_privilege(current_user, 'deed', 'INSERT') "
        "AND current_setting('transaction_read_only') = 'off'"
    )
    return bool(found.scalar())


def existing_file(location: Location) -> bool:
    """Whether the store's file is there; raises ``StoreError`` where this user may not look."""
    assert location.path is not None  # noqa: S101
    try:
        mode = location.path.stat().st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise errors.unreadable(location, error.strerror or str(error)) from None
    if not stat.S_ISREG(mode):
        raise InputError(
            "not-a-store",
            "this is not a file.",
            place=location.shown,
            remedy="name a file with --store PATH.",
        )
    if not os.access(location.path, os.R_OK):
        raise errors.unreadable(location, "Permission denied")
    return True


def require_file(location: Location) -> None:
    """Raise ``InputError`` (``no-store``) where a store should be in a file that is not there."""
    if location.path is not None and not existing_file(location):
        raise InputError(
            "no-store",
            "there is no store here.",
            place=location.shown,
            remedy=f"calib init {location.option}.",
        )
