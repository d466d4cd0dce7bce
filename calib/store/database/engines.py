"""SQLAlchemy's engines for a store: how each of their connections and transactions begins."""

from __future__ import annotations

import math

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from calib.config.location import Location
from calib.errors import InputError
from calib.store.database.sqlite_file import FileConnection, StoreFile

FRAMED = "calib_framed"
"""The execution option of connections whose transactions the driver begins and ends."""
WRITES = "calib_writes"
"""The execution option of connections that write."""


def sqlite_engine(file: StoreFile, *, guest: bool) -> Engine:
    """The engine of a file, for a guest or for who may write it."""
    # A guest looks anew at each read how the file can be opened.
    creator, pool = (file.as_guest, NullPool) if guest else (file.as_writer, QueuePool)
    engine = create_engine("sqlite://", creator=creator, poolclass=pool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(FRAMED, False):
            return
        writes = options.get(WRITES, False)
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101
        # By the driver itself: through SQLAlchemy it would cost each look-up a tenth of its time.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgres_engine(location: Location, wait_seconds: float, connect_seconds: float) -> Engine:
    """The engine of a server; raises ``InputError`` (``bad-location``, ``no-driver``)."""
    try:
        url = make_url(location.url)
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(math.ceil(connect_seconds))})
        # Whatever the database or PGCLIENTENCODING says, text goes to and fro as Unicode.
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


def sqlite_connection(connection: Connection) -> FileConnection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, FileConnection)  # noqa: S101
    return driver
