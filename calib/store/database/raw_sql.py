"""SQL statements executed by the database driver, without SQLAlchemy's compilation.

For the hot path: a look-up runs for every file that is processed.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from calib.model.base.canonical import microseconds
from calib.store.database.instants import stored_instant

_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class SqlStatement:
    """A SELECT with parameters ``:name``, in the parameter style of each driver."""

    def __init__(self, sql: str) -> None:
        self._sql = {"sqlite": sql, "postgresql": _NAMED.sub(r"%(\1)s", sql)}
        self._record: Callable[..., Any] | None = None

    def rows(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Fetch all rows as tuples.

        ``datetime`` parameters are converted for the driver; results are as the driver returns
        them. Raises SQLAlchemy's ``DBAPIError``, as ``Connection.execute`` does.
        """
        rows, _ = self._fetched(connection, values)
        return rows

    def records(self, connection: Connection, **values: Any) -> list[Any]:
        """Fetch all rows as named tuples."""
        rows, description = self._fetched(connection, values)
        if self._record is None:
            names = [column[0] for column in description]
            self._record = namedtuple("Record", names)  # type: ignore[misc]  # noqa: PYI024
        return [self._record(*row) for row in rows]

    def _fetched(
        self, connection: Connection, values: dict[str, Any]
    ) -> tuple[list[tuple[Any, ...]], Sequence[Any]]:
        dialect = connection.dialect
        if dialect.name == "sqlite":
            values = {
                name: microseconds(value) if isinstance(value, datetime) else value
                for name, value in values.items()
            }
        sql = self._sql[dialect.name]
        driver = connection.connection.dbapi_connection
        cursor: Any = None
        try:
            cursor = driver.cursor()  # type: ignore[union-attr]
            cursor.execute(sql, values)
            return cursor.fetchall(), cursor.description
        except dialect.loaded_dbapi.Error as error:
            lost = dialect.is_disconnect(error, connection.connection, cursor)
            if lost:
                connection.invalidate(error)
            raise DBAPIError.instance(
                sql,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=dialect,
            ) from error
        finally:
            if cursor is not None:
                cursor.close()


def instant(value: Any) -> datetime:
    """Convert a driver's value to UTC; raises ``IntegrityError`` if it is not an instant."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return stored_instant(value)


def instant_or_none(value: Any) -> datetime | None:
    """Convert a driver's value to UTC; None stays None."""
    return None if value is None else instant(value)
