"""Transactions of a store on SQLite and Postgres.

A read sees one snapshot. Writes are serialised before they read anything: by BEGIN IMMEDIATE on
SQLite, by an advisory lock as the first statement on Postgres. A write is committed as a whole or
not at all. On SQLite readers and the writer never block each other, except on network file systems
(``calib.store.database.journal``).
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from calib.config.location import VARIABLE, Location, default_location
from calib.config.settings import read_settings
from calib.errors import InputError, IntegrityError, StoreError
from calib.store.database import errors
from calib.store.database.clock import CLOCK, ClockRule
from calib.store.database.engines import WRITES, postgres_engine, sqlite_connection, sqlite_engine
from calib.store.database.file_system import disk_is_full, network_file_system
from calib.store.database.journal import Journal
from calib.store.database.read_connections import ReadConnections
from calib.store.database.sqlite_file import StoreFile

ADVISORY_LOCK = 0x63616C6962
"""Key of the Postgres advisory lock that a writer holds ("calib" in ASCII)."""
_FIRST_TABLE = "deed"
"""The table into which every write inserts first."""


class Database:
    """The engine of one store and its transactions: ``reading`` and ``writing``."""

    def __init__(
        self,
        location: Location,
        *,
        read_only: bool = False,
        wait_seconds: float | None = None,
        foreign_keys: bool = True,
        draft: Path | None = None,
        journal: Journal | None = None,
        clock_checked: bool = False,
    ) -> None:
        """Open a store; connections are made when they are needed.

        ``foreign_keys`` are off for migrations; ``draft`` is a temporary file that will become the
        store; ``clock_checked`` accepts any clock of this machine on SQLite. Values left None come
        from the settings.
        """
        self.before_write: Callable[[Connection, Location], None] | None = None
        self.n_writes = 0
        """Number of writes begun by this process."""
        self._reached = False
        settings = read_settings()
        if wait_seconds is None:
            wait_seconds = settings.wait_seconds
        self.location = location
        path = location.path
        self.clock = ClockRule(
            location,
            None if path is None else Path(os.path.realpath(path)).parent,
            settings.clock_gap,
            settings.clock_tolerance,
            clock_checked,
        )
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
            # Determined once: other users' log files appear and disappear beside the store.
            write_protected = not self._file.may_write
            read_only = read_only or write_protected
            self._engine = sqlite_engine(self._file, write_protected=write_protected)
            self._readers = (
                None if write_protected else ReadConnections(self._engine, self._check_files)
            )
        else:
            self._engine = postgres_engine(location, wait_seconds, settings.connect_seconds)
            self._readers = None

        self.refusal = errors.read_only(location) if read_only else None

    @property
    def read_only(self) -> bool:
        """Whether the store cannot be written, as far as is known."""
        return self.refusal is not None

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is an SQLite file."""
        return self.location.path is not None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose reads all see one snapshot.

        Raises ``StoreChangedError`` at the end if they did not, and ``StoreLostError`` if the
        connection to a server that had answered is lost (``calib.store.database.retry`` repeats
        such reads).
        """
        try:
            with errors.translate_errors(self.location), self._reader() as connection:
                yield connection
        except StoreError as error:
            if self._reached and error.code == errors.UNREACHABLE:
                raise errors.server_lost(error) from None
            raise

    def _reader(self) -> contextlib.AbstractContextManager[Connection]:
        if self._readers is None:
            return self._read_in_new_connection(self._engine)
        try:
            self._readers.prepare()
        except DBAPIError as error:
            if not errors.is_out_of_space(error.orig, self._file.path):
                raise
            # As users without write access do, who create no file.
            return self._read_in_new_connection(sqlite_engine(self._file, write_protected=True))
        return self._readers.reading()

    @contextlib.contextmanager
    def _read_in_new_connection(self, engine: Engine) -> Iterator[Connection]:
        with engine.connect() as connection:
            self._reached = True
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            fingerprint = sqlite_connection(connection).fingerprint if self.is_sqlite else None
            try:
                with connection.begin():
                    yield connection
            except Exception as error:
                changed = fingerprint is not None and not fingerprint.is_unchanged()
                if changed or errors.is_transient(error):
                    raise errors.store_changed(self.location) from None
                raise
            if fingerprint is not None and not fingerprint.is_unchanged():
                raise errors.store_changed(self.location)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection with the write lock; committed at the end, rolled back after an error.

        Raises ``StoreReadOnlyError`` without write access, and ``StoreError`` (``store-locked``)
        if another writer does not finish in time.
        """
        if self.refusal is not None:
            raise self.refusal
        with (
            errors.translate_errors(self.location, writing=True),
            self._begin_with_retries() as connection,
        ):
            if self.before_write is not None:
                self.before_write(connection, self.location)
            self.n_writes += 1
            connection.info[CLOCK] = self.clock
            yield connection
            try:
                connection.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise errors.commit_uncertain(self.location) from None
                raise
            if self.is_sqlite:
                self._check_files(connection)

    def require_space(self) -> None:
        """Raise ``StoreError`` (``disk-full``) if the store is on a full disk."""
        path = self.location.path
        if path is not None and disk_is_full(Path(os.path.realpath(path)).parent):
            raise errors.disk_full(self.location)

    def _begin_with_retries(self) -> Connection:
        """Begin a write, repeatedly if the server closes the connection: nothing has been written
        yet."""
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
        self._close_idle()
        connection = self._engine.connect()
        try:
            if self.is_sqlite:
                self._check_files(connection)
                self._file.ensure_journal_mode(sqlite_connection(connection))
            connection.execution_options(**{WRITES: True})
            if not self.is_sqlite:
                connection.execution_options(isolation_level="READ COMMITTED")
            connection.begin()
            if self.is_sqlite:
                self._check_files(connection)
            else:
                # READ COMMITTED: sees what was committed while waiting for the lock.
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
        """A connection outside any transaction, for SQLite's backup of whole files."""
        self._close_idle()
        with (
            errors.translate_errors(self.location, writing=True),
            self._engine.connect() as connection,
        ):
            yield connection

    @property
    def file(self) -> StoreFile | None:
        """The SQLite file; None for a server."""
        return self._file if self.is_sqlite else None

    def close(self) -> None:
        """Close all connections."""
        self._close_idle()
        self._engine.dispose()

    def _check_files(self, connection: Connection) -> None:
        """Raise if the store's log was deleted; then no connection is used again."""
        try:
            self._file.check_files(sqlite_connection(connection))
        except IntegrityError:
            connection.invalidate()
            self.close()
            raise

    def _close_idle(self) -> None:
        if self._readers is not None:
            self._readers.close_idle()


def may_insert(connection: Connection) -> bool:
    """Whether the role may insert rows on this server."""
    found = connection.exec_driver_sql(
        f"SELECT has_table_privilege(current_user, '{_FIRST_TABLE}', 'INSERT') "
        "AND current_setting('transaction_read_only') = 'off'"
    )
    return bool(found.scalar())


def existing_file(location: Location) -> bool:
    """Whether the store's file exists; raises ``StoreError`` if this user may not read it."""
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
            "this is not a regular file.",
            place=location.shown,
            remedy="name a file with --store PATH.",
        )
    if not os.access(location.path, os.R_OK):
        raise errors.unreadable(location, "Permission denied")
    return True


def require_file(location: Location) -> None:
    """Raise ``InputError`` (``no-store``) if the store is a file that does not exist."""
    if location.path is not None and not existing_file(location):
        command = f"calib init {location.option}."
        if location != default_location():
            raise InputError(
                "no-store", "there is no store here.", place=location.shown, remedy=command
            )
        raise InputError(
            "no-store",
            "there is no store yet.",
            place=location.shown,
            remedy=f"set {VARIABLE} to an existing store, or create one: {command}",
        )
