"""A connection to one store: how reads and writes are framed on SQLite and on Postgres.

A read sees one snapshot. A write is serialised with all others before it reads anything: BEGIN
IMMEDIATE on SQLite, an advisory lock as its first statement on Postgres. Both are whole or nothing.
On SQLite readers and the writer never wait for each other, except on network file systems
(``calib.store.journal``).
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from calib.errors import InputError, StoreError
from calib.store import failure
from calib.store.file_system import network_file_system
from calib.store.journal import Journal
from calib.store.location import Location
from calib.store.settings import read_settings
from calib.store.sqlite_file import FileConnection, StoreFile

ADVISORY_LOCK = 0x63616C6962
"""The Postgres lock that writers hold ("calib" in ASCII)."""
_WRITES = "calib_writes"


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
            read_only = read_only or not self._file.may_write
            self._engine = _sqlite_engine(self._file)
        else:
            self._engine = _postgres_engine(location, wait_seconds, settings.connect_seconds)

        self.refusal = failure.read_only(location) if read_only else None

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
        (``calib.store.again`` asks again).
        """
        try:
            with failure.told_plainly(self.location), self._engine.connect() as connection:
                self._reached = True
                yield from self._read(connection)
        except StoreError as error:
            if self._reached and error.code == failure.UNREACHABLE:
                raise failure.lost(error) from None
            raise

    def _read(self, connection: Connection) -> Iterator[Connection]:
        if not self.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ")
        evidence = sqlite_connection(connection).evidence if self.is_sqlite else None
        try:
            with connection.begin():
                yield connection
        except Exception:
            if evidence is not None and not evidence.holds():
                raise failure.changing(self.location) from None
            raise
        if evidence is not None and not evidence.holds():
            raise failure.changing(self.location)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that no other writer shares; committed at the end, or nothing is.

        Raises ``StoreReadOnlyError`` where this user may not write, and ``StoreError``
        (``store-locked``) where another writer does not finish in time.
        """
        if self.refusal is not None:
            raise self.refusal
        with failure.told_plainly(self.location, writing=True), self._begun() as connection:
            if self.before_write is not None:
                self.before_write(connection, self.location)
            self.n_writes += 1
            yield connection
            try:
                connection.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise failure.uncertain(self.location) from None
                raise

    def _begun(self) -> Connection:
        """A write that nobody else shares, begun again where a server closed the connection
        before: then nothing was written yet."""
        end, lost = time.monotonic() + failure.LOST_SECONDS, False
        while True:
            try:
                return self._begin()
            except DBAPIError as error:
                lost = lost or error.connection_invalidated
                state = getattr(error.orig, "sqlstate", None)
                away = error.connection_invalidated or state is None
                if self.is_sqlite or not (lost and away) or time.monotonic() > end:
                    raise
            time.sleep(failure.PAUSE_SECONDS)

    def _begin(self) -> Connection:
        connection = self._engine.connect()
        try:
            if self.is_sqlite:
                self._file.settle(sqlite_connection(connection))
            connection.execution_options(**{_WRITES: True})
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
        with (
            failure.told_plainly(self.location, writing=True),
            self._engine.connect() as connection,
        ):
            yield connection

    @property
    def file(self) -> StoreFile | None:
        """The file; None for a server."""
        return self._file if self.is_sqlite else None

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def existing_file(location: Location) -> bool:
    """Whether the store's file is there; raises ``StoreError`` where this user may not look."""
    assert location.path is not None  # noqa: S101
    try:
        mode = location.path.stat().st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise failure.unreadable(location, error.strerror or str(error)) from None
    if not stat.S_ISREG(mode):
        raise InputError(
            "not-a-store",
            "this is not a file.",
            place=location.shown,
            remedy="name a file with --store PATH.",
        )
    if not os.access(location.path, os.R_OK):
        raise failure.unreadable(location, "Permission denied")
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


def sqlite_connection(connection: Connection) -> FileConnection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, FileConnection)  # noqa: S101
    return driver


def _sqlite_engine(file: StoreFile) -> Engine:
    # A user who may not write looks anew at each read how the file can be opened.
    pool = QueuePool if file.may_write else NullPool
    engine = create_engine("sqlite://", creator=file.connect, poolclass=pool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101
        # By the driver itself: through SQLAlchemy it would cost each look-up a tenth of its time.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(location: Location, wait_seconds: float, connect_seconds: float) -> Engine:
    try:
        url = make_url(location.url)
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(math.ceil(connect_seconds))})
        engine = create_engine(url, hide_parameters=True)
    except (ArgumentError, ValueError):
        raise InputError(
            "bad-location",
            "this is not the address of a Postgres database.",
            place=location.shown,
            remedy="postgresql://USER@HOST:PORT/DATABASE.",
        ) from None
    except (NoSuchModuleError, ImportError):
        raise InputError(
            "no-driver",
            "a store on Postgres needs the driver psycopg, which is not installed.",
            place=location.shown,
            remedy="pip install 'calib-metrology[postgres]'.",
        ) from None
    milliseconds = int(wait_seconds * 1000)

    @event.listens_for(engine, "connect")
    def settle(connection: object, _record: object) -> None:
        driver: object = connection
        driver.autocommit = True  # type: ignore[attr-defined]
        driver.execute("SET TIME ZONE 'UTC'")  # type: ignore[attr-defined]
        driver.execute(f"SET lock_timeout = {milliseconds}")  # type: ignore[attr-defined]
        # Every statement finds its rows by an index whatever its values: planned once, not anew
        # each time, which costs a look-up more than the rows do.
        driver.execute("SET plan_cache_mode = force_generic_plan")  # type: ignore[attr-defined]
        driver.autocommit = False  # type: ignore[attr-defined]

    return engine
