"""The triggers that forbid changing or deleting rows, and the check that they are in place."""

from __future__ import annotations

from sqlalchemy import Connection

from calib.store.schema.tables import METADATA

_CHANGES = ("UPDATE", "DELETE")
_BEFORE_UPDATE_DELETE_TRUNCATE = 2 + 8 + 16 + 32  # pg_trigger.tgtype, once per statement
_ENABLED = "O"
_BODY = (
    "BEGIN RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME; END"  # in the function
)


def append_only_tables() -> list[str]:
    """The tables whose rows may not be changed or deleted."""
    return sorted(METADATA.tables)


def missing_triggers(connection: Connection) -> list[str]:
    """The tables without protection: a trigger is missing, disabled or different."""
    if connection.dialect.name == "sqlite":
        return _missing_on_sqlite(connection)
    return _missing_on_postgres(connection)


def _missing_on_sqlite(connection: Connection) -> list[str]:
    found = {
        " ".join(str(row[0]).split())
        for row in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type='trigger'")
    }
    return [
        table
        for table in append_only_tables()
        if not {_sqlite_trigger(table, change) for change in _CHANGES} <= found
    ]


def _sqlite_trigger(table: str, change: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
    )


def _missing_on_postgres(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT c.relname, t.tgtype, t.tgenabled, p.prosrc FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE t.tgname = 'append_only' AND pg_table_is_visible(c.oid)"
    )
    found = {
        row[0]
        for row in rows
        if (row[1], row[2], " ".join(row[3].split()))
        == (_BEFORE_UPDATE_DELETE_TRUNCATE, _ENABLED, _BODY)
    }
    return [table for table in append_only_tables() if table not in found]
