"""Random changes of the schema of a store, as its owner could make them with SQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Boolean, DateTime, Float, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import LargeBinary

from calib.store.schema.columns import Text
from calib.store.schema.tables import METADATA

TABLES = tuple(METADATA.sorted_tables)


class Trick(NamedTuple):
    """Statements, and the table that must be named."""

    statements: tuple[str, ...]
    table: str


class Schema(NamedTuple):
    """What there is to change, by table."""

    triggers: Mapping[str, Sequence[str]]
    indexes: Mapping[str, Sequence[str]]
    constraints: Mapping[str, Sequence[str]]


def sqlite_trick(rng: random.Random, schema: Schema) -> Trick:
    """One for SQLite; those of ``writable_schema`` take effect when the file is opened again."""
    table, column = _place(rng)
    other, _ = _place(rng)
    name = table.name
    when, what = rng.choice(("BEFORE", "AFTER")), rng.choice(("INSERT", "UPDATE", "DELETE"))
    spy = f"CREATE TRIGGER spy {when} {what} ON {name} BEGIN SELECT RAISE(IGNORE); END"
    hidden = rng.choice(("sqlite_stat1", "sqlite_stat_spy", "sqlite_sequence", "sqlite_x", ""))
    trigger = rng.choice(list(schema.triggers[name]))
    of_trigger = f"WHERE type = 'trigger' AND name = '{trigger}'"
    of_table = f"WHERE type = 'table' AND name = '{name}'"
    kinds: list[Callable[[], tuple[str, ...]]] = [
        lambda: (spy,),
        lambda: (f"DROP TRIGGER {trigger}",),
        lambda: (
            f"DROP TRIGGER {trigger}",
            f"CREATE TRIGGER {trigger} BEFORE UPDATE ON {name} BEGIN SELECT 1; END",
        ),
        lambda: (f"CREATE {rng.choice(('', 'UNIQUE'))} INDEX spy ON {name} ({column}, rowid % 3)",),
        lambda: (f"CREATE INDEX spy ON {name} ({column}) WHERE {column} IS NULL",),
        lambda: (f"ALTER TABLE {name} ADD COLUMN spy TEXT",),
        lambda: (f"ALTER TABLE {name} ADD COLUMN spy AS ({column})",),
        lambda: _view_of(name, f"SELECT * FROM kept_{name}"),
        lambda: _view_of(name, f"SELECT * FROM kept_{name} WHERE rowid <> 1"),
        lambda: _edited(f"SET sql = replace(sql, 'ABORT', 'IGNORE') {of_trigger}"),
        lambda: _edited(f"SET sql = replace(sql, 'NOT NULL', '') {of_table}"),
        lambda: _edited(f"SET sql = replace(sql, '{column} ', '{column} DEFAULT 7 ') {of_table}"),
        lambda: _edited(f"SET name = '{hidden}' {of_trigger}"),
        lambda: _edited(f"SET tbl_name = '{other.name}' {of_trigger}", other.name),
        lambda: (spy, *_edited(f"SET name = '{hidden}' WHERE name = 'spy'")),
        lambda: (spy, *_edited("SET name = 'SPY', tbl_name = 'spy' WHERE name = 'spy'")),
        lambda: (
            f"CREATE INDEX spy ON {name} ({column})",
            *_edited(f"SET name = '{hidden}' WHERE name = 'spy'"),
        ),
        lambda: _written(f"DELETE FROM sqlite_master {of_trigger}"),
        lambda: _written(f"DELETE FROM sqlite_master {of_table}"),
        lambda: _written(
            f"INSERT INTO sqlite_master SELECT 'trigger', '{hidden}', '{name}', 0, '{spy}'"
        ),
    ]
    if other is not table:
        root = f"(SELECT rootpage FROM sqlite_master WHERE name = '{other.name}')"
        kinds.append(lambda: _edited(f"SET rootpage = {root} {of_table}"))
    return Trick(rng.choice(kinds)(), name)


def postgres_trick(rng: random.Random, schema: Schema) -> Trick:
    """One for Postgres."""
    table, column = _place(rng)
    name = table.name
    when, what = rng.choice(("BEFORE", "AFTER")), rng.choice(("INSERT", "UPDATE", "DELETE"))
    function = (
        "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN %s; END $$"
    )
    each = rng.choice(("ROW", "STATEMENT"))
    kind = table.columns[column].type
    default = {Boolean: "false", DateTime: "now()"}.get(type(kind), "'7'")
    if "time zone" in kind.compile(postgresql.dialect()).lower():  # type: ignore[no-untyped-call]
        default = "now()"
    kinds: list[Callable[[], tuple[str, ...]]] = [
        lambda: (
            function % rng.choice(("NEW", "NULL")),
            f"CREATE TRIGGER spy {when} {what} ON {name} FOR EACH {each} EXECUTE FUNCTION spy()",
        ),
        lambda: (f"ALTER TABLE {name} DISABLE TRIGGER append_only",),
        lambda: (f"ALTER TABLE {name} ENABLE REPLICA TRIGGER append_only",),
        lambda: (f"DROP TRIGGER append_only ON {name}",),
        lambda: (
            function % "NULL",
            f"DROP TRIGGER append_only ON {name}",
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {name} FOR EACH {each} "
            "EXECUTE FUNCTION spy()",
        ),
        lambda: (f"CREATE POLICY spy ON {name} FOR {rng.choice(('SELECT', 'ALL'))} USING (false)",),
        lambda: (f"ALTER TABLE {name} {rng.choice(('ENABLE', 'FORCE'))} ROW LEVEL SECURITY",),
        lambda: (f"CREATE RULE spy AS ON {what} TO {name} DO {rng.choice(('ALSO', 'INSTEAD'))} "
                 "NOTHING",),
        lambda: (f"CREATE {rng.choice(('', 'UNIQUE'))} INDEX spy ON {name} (md5({column}::text))",),
        lambda: (f"CREATE INDEX spy ON {name} ({column}) WHERE {column} IS NULL",),
        lambda: (f"ALTER TABLE {name} ADD CONSTRAINT spy CHECK ({column} IS NULL) NOT VALID",),
        lambda: (f"ALTER TABLE {name} ADD COLUMN spy text",),
        lambda: (f"ALTER TABLE {name} ADD COLUMN spy text GENERATED ALWAYS AS ('x') STORED",),
        lambda: (f"ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT {default}",),
        lambda: (f"CREATE TABLE spy () INHERITS ({name})",),
        lambda: _view_of(name, f"SELECT * FROM kept_{name}"),
        lambda: ("CREATE SCHEMA spy", f"ALTER TABLE {name} SET SCHEMA spy"),
        lambda: (f"ALTER TABLE {name} RENAME COLUMN {column} TO spy",),
        lambda: (f"ALTER TABLE {name} DROP CONSTRAINT {rng.choice(constraints)} CASCADE",),
    ]  # fmt: skip
    constraints = list(schema.constraints[name])
    required = [c.name for c in table.columns if not c.nullable and not c.primary_key]
    if required:
        loose = rng.choice(required)
        kinds.append(lambda: (f"ALTER TABLE {name} ALTER COLUMN {loose} DROP NOT NULL",))
    textual = isinstance(kind, Text)
    retyped = f"bytea USING convert_to({column}, 'UTF8')" if textual else f"text USING {column}"
    kinds.append(lambda: (f"ALTER TABLE {name} ALTER COLUMN {column} TYPE {retyped}",))
    narrower = {Float: "real", DateTime: "date", LargeBinary: "text", Boolean: "text"}
    for one in table.columns:
        other = next((to for kind, to in narrower.items() if isinstance(one.type, kind)), None)
        if other is not None and not one.primary_key:
            using = f"USING {one.name}::text::{other}"
            kinds.append(
                lambda one=one, other=other, using=using: (  # type: ignore[misc]
                    f"ALTER TABLE {name} ALTER COLUMN {one.name} TYPE {other} {using}",
                )
            )
            break
    return Trick(rng.choice(kinds)(), name)


def _place(rng: random.Random) -> tuple[Table, str]:
    table = rng.choice(TABLES)
    return table, rng.choice(list(table.columns.keys()))


def _view_of(name: str, query: str) -> tuple[str, ...]:
    return (f"ALTER TABLE {name} RENAME TO kept_{name}", f"CREATE VIEW {name} AS {query}")


def _written(*statements: str) -> tuple[str, ...]:
    return ("PRAGMA writable_schema = ON", *statements)


def _edited(change: str, *_: str) -> tuple[str, ...]:
    return _written(f"UPDATE sqlite_master {change}")
