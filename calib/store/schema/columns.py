"""Column types whose values are read back exactly as written, on SQLite and on Postgres."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy import Text as SqlText
from sqlalchemy.types import TypeDecorator, TypeEngine

from calib.errors import InputError
from calib.model.base.bounds import COUNT
from calib.model.base.canonical import instant_from, microseconds
from calib.store.database.instants import stored_instant


class Instant(TypeDecorator[datetime]):
    """An instant in UTC with microseconds: timestamptz on Postgres; an integer, microseconds since
    1970-01-01 UTC, on SQLite (which has no type for time)."""

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        micros = microseconds(value)
        return instant_from(micros) if dialect.name == "postgresql" else micros

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return stored_instant(value)


class Text(TypeDecorator[str]):
    """Text that both databases can store: no NUL, no lone surrogates."""

    impl = SqlText
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError("bad-text", f"{value!r} is not Unicode text.") from None
        if "\0" in value:
            raise InputError("bad-text", f"{value!r} contains a NUL character.")
        return value


def row_limit(asked: int | None) -> int | None:
    """A limit of rows that both databases accept: no table has as many as the largest."""
    return None if asked is None else min(asked, int(COUNT.maximum))


def position_type() -> TypeEngine[int]:
    """Type of log positions (SQLite stores rows in the order of an INTEGER primary key)."""
    return BigInteger().with_variant(Integer(), "sqlite")
