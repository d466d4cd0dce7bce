"""What a database has besides, or instead of, what the migrations made.

A trigger, rule, policy, view, index, constraint or generated column that somebody added can change
what is written or read. On SQLite the whole schema is compared, word for word, with that of a new
store, so that entries edited with ``PRAGMA writable_schema`` differ as well. On Postgres each kind
of object is read from the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sqlalchemy import Connection, create_engine
from sqlalchemy.dialects import postgresql

from calib.model.store.log import Finding
from calib.store.schema import revision
from calib.store.schema.tables import METADATA
from calib.store.schema.triggers import missing_triggers

SCHEMA = "schema"
"""The row that a finding about the schema names."""
_OF_SQLITE = ("sqlite_stat", "sqlite_sequence")
"""Tables that SQLite adds by itself."""


def schema_findings(connection: Connection) -> list[Finding]:
    """Objects that calib did not make, and objects of calib that are missing or were changed."""
    if connection.dialect.name == "sqlite":
        return sorted(_on_sqlite(connection), key=lambda found: (found.table, found.problem))
    found = [*_on_postgres(connection)]
    found += [
        Finding(table, SCHEMA, "the trigger that protects its rows is missing or was changed")
        for table in missing_triggers(connection)
    ]
    return sorted(found, key=lambda one: (one.table, one.problem))


def protects(finding: Finding) -> bool:
    """Whether a finding is about a trigger that forbids changing or deleting rows."""
    return any(name in finding.problem for name in ("_no_update ", "_no_delete ", "its rows is"))


def _on_sqlite(connection: Connection) -> Iterator[Finding]:
    ours = {*METADATA.tables, revision.VERSION_TABLE}
    expected, found = _of_a_new_store(), _schema_of(connection)
    for (kind, name), (table, _) in found.items():
        if (kind, name) in expected or name.startswith(_OF_SQLITE):
            continue
        mine = table in ours or name in ours
        if kind == "trigger" or mine:
            yield Finding(table, SCHEMA, f"the {kind} {name} was not made by calib")
    for (kind, name), definition in expected.items():
        if (kind, name) not in found:
            yield Finding(definition[0], SCHEMA, f"the {kind} {name} is missing")
        elif found[kind, name] != definition:
            yield Finding(definition[0], SCHEMA, f"the definition of the {kind} {name} was changed")


Schema = dict[tuple[str, str], tuple[str, str]]


def _schema_of(connection: Connection) -> Schema:
    """Kind and name of each object, with its table and its definition."""
    rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return {
        (str(row[0]), str(row[1])): (str(row[2]), " ".join(str(row[3]).split())) for row in rows
    }


@cache
def _of_a_new_store() -> Schema:
    """The schema that the migrations make, in memory."""
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            revision.migrate_on(connection, "head")
            return _schema_of(connection)
    finally:
        engine.dispose()


_POSTGRES = (
    (
        "SELECT c.relname, 'the trigger ' || t.tgname || ' was not made by calib' "
        "FROM pg_trigger t JOIN ours c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND t.tgname <> 'append_only'"
    ),
    (
        "SELECT c.relname, 'a foreign key is not enforced: its trigger is disabled' "
        "FROM pg_trigger t JOIN ours c ON c.oid = t.tgrelid "
        "WHERE t.tgisinternal AND t.tgenabled <> 'O'"
    ),
    (
        "SELECT c.relname, 'the policy ' || p.polname || ' was not made by calib' "
        "FROM pg_policy p JOIN ours c ON c.oid = p.polrelid"
    ),
    (
        "SELECT c.relname, 'row level security was switched on' FROM ours c "
        "WHERE c.relrowsecurity OR c.relforcerowsecurity"
    ),
    (
        "SELECT c.relname, 'the rule ' || r.rulename || ' was not made by calib' "
        "FROM pg_rewrite r JOIN ours c ON c.oid = r.ev_class "
        "WHERE NOT (c.relkind IN ('v', 'm') AND r.rulename = '_RETURN')"
    ),
    (
        "SELECT c.relname, 'it is not an ordinary table (a view, foreign or unlogged table)' "
        "FROM ours c WHERE c.relkind <> 'r' OR c.relpersistence <> 'p'"
    ),
    (
        "SELECT c.relname, 'it inherits from a table, or a table inherits from it' "
        "FROM ours c JOIN pg_inherits i ON c.oid IN (i.inhrelid, i.inhparent)"
    ),
    (
        "SELECT c.relname, 'the column ' || a.attname || ' has a generated or default value' "
        "FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE a.attnum > 0 AND NOT a.attisdropped "
        "AND (a.atthasdef OR a.attgenerated <> '' OR a.attidentity <> '')"
    ),
    (
        "SELECT c.relname, 'it is in another schema than the table calib_revision' FROM ours c "
        "WHERE c.relnamespace <> (SELECT v.relnamespace FROM pg_class v "
        "WHERE v.oid = to_regclass('calib_revision'))"
    ),
    (
        "SELECT c.relname, 'the index ' || x.relname || ' is partial, invalid or on expressions' "
        "FROM ours c JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid "
        "WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR NOT i.indisvalid"
    ),
)
_NAMED = (
    (
        "index",
        "SELECT c.relname, x.relname FROM ours c JOIN pg_index i ON i.indrelid = c.oid "
        "JOIN pg_class x ON x.oid = i.indexrelid",
    ),
    (
        "constraint",
        "SELECT c.relname, k.conname FROM ours c JOIN pg_constraint k ON k.conrelid = c.oid "
        "WHERE k.contype NOT IN ('n', 't')",
    ),
    (
        "column",
        "SELECT c.relname, a.attname FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE a.attnum > 0 AND NOT a.attisdropped",
    ),
)
_PRESENT = "SELECT relname FROM ours"
_ORDINARY = "SELECT relname FROM ours WHERE relkind = 'r'"
_COLUMNS = (
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "a.attcollation <> t.typcollation FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid "
    "JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped"
)


def _on_postgres(connection: Connection) -> Iterator[Finding]:
    names = ", ".join(f"'{name}'" for name in sorted(METADATA.tables))
    ours = (
        f"WITH ours AS (SELECT * FROM pg_class WHERE relname IN ({names}) "  # noqa: S608
        "AND relkind IN ('r', 'v', 'm', 'f', 'p') AND pg_table_is_visible(oid)) "
    )
    for statement in _POSTGRES:
        for table, problem in connection.exec_driver_sql(ours + statement):
            yield Finding(table, SCHEMA, problem)
    ordinary = {name for (name,) in connection.exec_driver_sql(f"{ours} {_ORDINARY}")}
    present = {name for (name,) in connection.exec_driver_sql(f"{ours} {_PRESENT}")}
    for table in sorted(set(METADATA.tables) - present):
        yield Finding(table, SCHEMA, "the table is missing")
    for kind, statement in _NAMED:
        found = {(row[0], row[1]) for row in connection.exec_driver_sql(ours + statement)}
        for table, name in sorted(found - _names(kind)):
            yield Finding(table, SCHEMA, f"the {kind} {name} was not made by calib")
        for table, name in sorted(_names(kind) - found):
            own = kind != "index" or (table, name) not in _names("constraint")
            if table in ordinary and own:  # any other table has a finding of its own
                yield Finding(table, SCHEMA, f"the {kind} {name} is missing")
    for table, name, *definition in connection.exec_driver_sql(ours + _COLUMNS):
        if tuple(definition) != _columns().get((table, name), tuple(definition)):
            yield Finding(table, SCHEMA, f"the definition of the column {name} was changed")


@cache
def _columns() -> dict[tuple[str, str], tuple[str, bool, bool]]:
    """Of each column: its type, whether it must have a value, and whether it sorts in another way
    than the database."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        (table.name, column.name): (
            column.type.compile(dialect).lower(),
            not column.nullable,
            False,
        )
        for table in METADATA.tables.values()
        for column in table.columns
    }


@cache
def _names(kind: str) -> frozenset[tuple[str, str]]:
    """The names of the indexes, constraints or columns of calib, with their tables."""
    found = set()
    for table in METADATA.tables.values():
        if kind == "column":
            found |= {(table.name, column.name) for column in table.columns}
        else:
            found |= {(table.name, str(one.name)) for one in table.constraints if one.name}
        if kind == "index":
            found |= {(table.name, str(index.name)) for index in table.indexes}
    return frozenset(found)
