"""The column types of the migrations, frozen apart from the tables of today."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine


def position() -> TypeEngine[Any]:
    """A place in the store's record."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def instant() -> TypeEngine[Any]:
    """An instant in UTC: timestamptz, or microseconds since 1970 where there is no such type."""
    return sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
