"""Statements for the driver itself: what is asked for each file must not be compiled each time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from calib.errors import IntegrityError
from calib.model.canonical import instant_from, microseconds

_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """A statement with values ``:name``, as each driver wants it."""

    def __init__(self, sql: str) -> None:
        self._sql = {"sqlite": sql, "postgresql": _NAMED.sub(r"%(\1)s", sql)}

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """All rows, as the driver gives them; instants go in as such."""
        dialect = connection.dialect.name
        if dialect == "sqlite":
            values = {
                name: microseconds(value) if isinstance(value, datetime) else value
                for name, value in values.items()
            }
        return connection.exec_driver_sql(self._sql[dialect], values).all()


def instant(value: Any) -> datetime:
    """An instant as a driver gives it, in UTC; ``IntegrityError`` where it is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    try:
        return instant_from(value)
    except (TypeError, OverflowError):
        raise IntegrityError(
            "changed-row",
            f"the store holds {value!r} where a time should be.",
            remedy="calib audit verify finds the row; restore the store from a backup.",
        ) from None


def instant_or_none(value: Any) -> datetime | None:
    """The same, where there may be none."""
    return None if value is None else instant(value)
