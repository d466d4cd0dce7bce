"""Column types of the migrations, independent of the current table classes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine


def position() -> TypeEngine[Any]:
    """A log position."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def instant() -> TypeEngine[Any]:
    """An instant in UTC: timestamptz on Postgres, microseconds since 1970 on SQLite."""
    return sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
