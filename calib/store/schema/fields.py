"""What the table classes share: their metadata and the helpers that declare columns.

``sa_column`` gives every column its exact SQL type. SQLModel would otherwise choose one from the
annotation, and the migrations, not these classes, decide what a store's tables look like.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData, Table
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from calib.store.schema.columns import position_type

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The tables of a store and nothing else: other users of SQLModel in the process have their own."""


class StoreTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base class of the table classes, with a registry and a metadata of their own."""

    # Rows are read and written by Core statements; pydantic's validators are never needed.
    model_config = {"defer_build": True}


def column(kind: Any, text: str, *rules: Any, null: bool = False, **options: Any) -> Any:
    """A column of an SQL type, described by ``text``; NOT NULL unless ``null``."""
    return Field(description=text, sa_column=Column(kind, *rules, nullable=null, **options))


def key(kind: Any, text: str, *rules: Any) -> Any:
    """A column of the primary key, whose values the program assigns."""
    return column(kind, text, *rules, primary_key=True, autoincrement=False)


def position_key() -> Any:
    """The primary key of a table that gets at most one row per log position."""
    return key(position_type(), "Log position that added the row", ForeignKey("deed.position"))


def added_at() -> Any:
    """The log position in a table that may get several rows per position."""
    return column(
        position_type(), "Log position that added the row", ForeignKey("deed.position"), index=True
    )


def reference(target: str, text: str, **options: Any) -> Any:
    """A foreign key to the position of a row in another table."""
    return column(position_type(), text, ForeignKey(f"{target}.position"), **options)


def table_of(model: type[StoreTable]) -> Table:
    """The SQLAlchemy Core table of a table class, for statements that fetch rows."""
    return METADATA.tables[str(model.__tablename__)]
