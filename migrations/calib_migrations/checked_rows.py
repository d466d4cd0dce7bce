"""Triggers that refuse to change or delete rows, and on SQLite to replace them or to insert values
of another type than that of their column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alembic import op

_STORED_AS = {"INTEGER": "integer", "BIGINT": "integer", "BOOLEAN": "integer", "DOUBLE": "real"}
"""How SQLite stores values of a declared type; others are stored as text, or bytes for BLOB."""


def protect(tables: Mapping[str, tuple[str, ...]]) -> None:
    """Create the triggers of new tables, given with the keys that INSERT OR REPLACE would replace
    rows by."""
    for table in tables:
        refuse_changes(table)
    check_inserts(tables)


def refuse_changes(table: str) -> None:
    """Refuse to change or delete rows of a table."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
        )


def check_inserts(tables: Mapping[str, tuple[str, ...]]) -> None:
    """On SQLite, refuse rows of tables with an existing key, or with values of another type than
    that of their column."""
    if op.get_bind().dialect.name == "sqlite":
        for table, keys in tables.items():
            for statement in _checked_inserts(table, keys):
                op.execute(statement)


def _checked_inserts(table: str, keys: tuple[str, ...]) -> Iterator[str]:
    found = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE "  # noqa: S608 - names of known tables
        + " AND ".join(f"{name} = NEW.{name}" for name in key.split(", "))
        + ")"
        for key in keys
    )
    yield (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {found} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
    )
    wrong = " OR ".join(_of_another_type(*column) for column in _columns(table))
    yield (
        f"CREATE TRIGGER {table}_types BEFORE INSERT ON {table} WHEN {wrong} "
        f"BEGIN SELECT RAISE(ABORT, 'a value of {table} is not of the type of its column'); END"
    )


def _columns(table: str) -> list[tuple[str, str, bool]]:
    """Name and declared type of each column, and whether it may be null."""
    rows = op.get_bind().exec_driver_sql(f"PRAGMA table_info({table})")
    return [(row[1], row[2].partition("(")[0].upper(), not row[3]) for row in rows]


def _of_another_type(name: str, declared: str, nullable: bool) -> str:
    kind = "blob" if declared == "BLOB" else _STORED_AS.get(declared, "text")
    kinds = f"('{kind}', 'null')" if nullable else f"('{kind}')"
    return f"typeof(NEW.{name}) NOT IN {kinds}"
