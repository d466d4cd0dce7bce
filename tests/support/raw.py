"""A store's rows behind the store's back: what an SQL tool, a tamperer or an accident can do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg

TABLES = (
    "deed",
    "entry",
    "binding",
    "detector",
    "dataset",
    "artifact",
    "calibration",
    "calibration_dataset",
    "summary",
    "summary_content",
    "calibration_summary",
    "panel",
    "certification",
    "withdrawal",
    "application",
    "placement",
    "provenance",
    "store_rule",
    "origin",
    "detector_edit",
    "retirement",
    "relabelling",
    "anchored_checkpoint",
    "layout",
)
"""In an order in which rows refer to earlier tables only."""


def is_postgres(place: str) -> bool:
    """Whether this is a server's address."""
    return "://" in place


@contextlib.contextmanager
def connection(place: str) -> Iterator[Any]:
    """The plain driver's connection; every statement is committed at once."""
    if is_postgres(place):
        address = place.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(address, autocommit=True) as opened:
            opened.execute("SET TIME ZONE 'UTC'")
            yield opened
        return
    with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as opened:
        yield opened


def execute(place: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement (with ``?`` for each value) and fetch what it gives."""
    with connection(place) as opened:
        if is_postgres(place):
            statement = statement.replace("?", "%s") if values else statement
            cursor = opened.execute(statement, values or None)
        else:
            cursor = opened.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description is not None else []


def tamper(place: str, statement: str, *values: Any) -> None:
    """Run one statement past triggers and foreign keys, as the owner of the store could."""
    with connection(place) as opened:
        if is_postgres(place):
            opened.execute("SET session_replication_role = replica")
            changed = opened.execute(statement.replace("?", "%s"), values).rowcount
        else:
            kept = opened.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = kept.fetchall()
            for name, _ in triggers:
                opened.execute(f"DROP TRIGGER {name}")
            changed = opened.execute(statement, values).rowcount
            for _, sql in triggers:
                opened.execute(sql)
    assert changed > 0, f"{statement} changed nothing"


def rows(place: str, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table, sorted."""
    return sorted(execute(place, f"SELECT * FROM {table}"), key=repr)


def everything(place: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, each table sorted."""
    with connection(place) as opened:
        return {
            table: sorted(opened.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in TABLES
        }


def insert_rows(place: str, table: str, taken: list[tuple[Any, ...]]) -> None:
    """Put rows into a table."""
    for row in taken:
        execute(place, f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
