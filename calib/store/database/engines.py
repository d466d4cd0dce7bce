"""SQLAlchemy engines of a store, and how their connections and transactions begin."""

from __future__ import annotations

import math

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from calib.config.location import Location
from calib.errors import InputError
from calib.store.database.sqlite_file import FileConnection, StoreFile

DRIVER_BEGINS = "calib_driver_begins"
"""Execution option of connections whose transactions begin and end by the driver's statements."""
WRITES = "calib_writes"
"""Execution option of connections that write."""


def sqlite_engine(file: StoreFile, *, write_protected: bool) -> Engine:
    """The engine of an SQLite file, for a user with or without write access."""
    # Without write access, how the file can be opened is determined again for each read.
    creator, pool = (
        (file.connect_reader, NullPool) if write_protected else (file.connect_writer, QueuePool)
    )
    engine = create_engine("sqlite://", creator=creator, poolclass=pool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(DRIVER_BEGINS, False):
            return
        writes = options.get(WRITES, False)
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101
        # Executed by the driver: through SQLAlchemy it would take a tenth of a look-up's time.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgres_engine(location: Location, wait_seconds: float, connect_seconds: float) -> Engine:
    """The engine of a Postgres server; raises ``InputError`` (``bad-location``, ``no-driver``)."""
    try:
        url = make_url(location.url)
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(math.ceil(connect_seconds))})
        # Text is exchanged as UTF-8, whatever the database or PGCLIENTENCODING says.
        unicode = {"client_encoding": "utf8"}
        engine = create_engine(url, connect_args=unicode, hide_parameters=True)
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
    def configure(connection: object, _record: object) -> None:
        driver: object = connection
        driver.autocommit = True  # type: ignore[attr-defined]
        driver.execute("SET TIME ZONE 'UTC'")  # type: ignore[attr-defined]
        driver.execute(f"SET lock_timeout = {milliseconds}")  # type: ignore[attr-defined]
        # Every statement uses an index whatever its values, so one plan serves; planning each time
        # would cost a look-up more than fetching the rows.
        driver.execute("SET plan_cache_mode = force_generic_plan")  # type: ignore[attr-defined]
        driver.autocommit = False  # type: ignore[attr-defined]

    return engine


def sqlite_connection(connection: Connection) -> FileConnection:
    """The driver's connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, FileConnection)  # noqa: S101
    return driver
