"""SQLAlchemy engines of a store, and how their connections and transactions begin."""

from __future__ import annotations

import difflib
import math
from typing import NoReturn

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from calib.config.location import Location
from calib.errors import InputError
from calib.store.database.sqlite_file import FileConnection, StoreFile

DRIVER_BEGINS = "calib_driver_begins"
"""Execution option of connections whose transactions begin and end by the driver's statements."""
WRITES = "calib_writes"
"""Execution option of connections that write."""

_PINNED = """
SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false),
  set_config('extra_float_digits', '3', false), set_config('bytea_output', 'hex', false),
  set_config('standard_conforming_strings', 'on', false),
  set_config('transform_null_equals', 'off', false), set_config('row_security', 'off', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('lock_timeout', '{lock_timeout}', false),
  set_config('search_path', quote_ident(coalesce(
    (SELECT n.nspname FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'calib_revision' AND n.nspname = 'public'),
    (SELECT n.nspname FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass('calib_revision')),
    current_schema(), 'public')) || ', pg_temp', false)
"""
"""Session settings, so that no value depends on those of a server, database or role. A query that a
row policy would restrict fails. Temporary tables do not hide those of the store. Commits are
durable. One generic plan per statement serves, since each uses an index whatever its values."""


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
        unknown = _unknown_parameters(url)
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
    if unknown:
        _refuse_parameter(unknown[0], location)
    milliseconds = int(wait_seconds * 1000)

    @event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        driver: object = connection
        driver.autocommit = True  # type: ignore[attr-defined]
        driver.execute(_PINNED.format(lock_timeout=milliseconds))  # type: ignore[attr-defined]
        driver.autocommit = False  # type: ignore[attr-defined]

    return engine


def _unknown_parameters(url: URL) -> list[str]:
    """The parameters of an address that no connection has."""
    return sorted(set(url.query) - _parameters())


def _parameters() -> set[str]:
    from psycopg import pq

    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}


def _refuse_parameter(name: str, location: Location) -> NoReturn:
    similar = difflib.get_close_matches(name, _parameters(), n=1)
    raise InputError(
        "bad-location",
        f"the address has the unknown parameter {name!r}.",
        place=location.shown,
        remedy=f"did you mean {similar[0]}?"
        if similar
        else "remove it; Postgres documents the parameters of connection strings.",
    )


def sqlite_connection(connection: Connection) -> FileConnection:
    """The driver's connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, FileConnection)  # noqa: S101
    return driver
