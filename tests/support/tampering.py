"""Random tamperings that the owner of a store could make, past triggers and keys.

Each is made on a connection whose transaction is rolled back afterwards, so that thousands of them
fall upon one and the same store.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table

from calib.store.log.row_hashes import position_column
from calib.store.schema.tables import METADATA

TABLES = tuple(METADATA.sorted_tables)


@dataclass(frozen=True, slots=True)
class Tampering:
    """What was done, and what an audit must name: one of these tables with one of these rows."""

    words: str
    tables: frozenset[str]
    rows: frozenset[str]


def bypass(connection: Connection) -> None:
    """Drop the triggers, as an owner can (SQLite's foreign keys must be off already)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in names.fetchall():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


class Tamperer:
    """Does one random thing to a store."""

    def __init__(self, connection: Connection, rng: random.Random) -> None:
        self._connection, self._rng = connection, rng

    def tamper(self) -> Tampering:
        """One thing, anything; raises what the database raises where it refuses even the owner."""
        kinds: list[Callable[[], Tampering]] = [
            *(5 * [self._edit]),
            self._delete,
            self._insert,
            self._swap,
            self._artifact,
            self._exchange,
            self._cut,
        ]
        return self._rng.choice(kinds)()

    def _edit(self, table: Table | None = None, column: str = "") -> Tampering:
        table = table if table is not None else self._table()
        row = self._row(table)
        name = column or self._rng.choice(list(table.columns.keys()))
        new = self._other(row[name])
        self._set(table, row, name, new)
        return _change(
            f"{table.name}.{name} {row[name]!r:.80} -> {new!r:.80}", table, row, name, new
        )

    def _artifact(self) -> Tampering:
        return self._edit(METADATA.tables["artifact"], "content")

    def _delete(self) -> Tampering:
        table = self._table()
        row = self._row(table)
        self._run(f"DELETE FROM {table.name} WHERE {_keys(table)}", _key_of(table, row))
        return _change(f"{table.name}: deleted {_key_of(table, row)!r:.80}", table, row)

    def _insert(self) -> Tampering:
        """A row like another one, with another key."""
        table = self._table()
        row = self._row(table)
        new = dict(row)
        for column in table.columns:
            unique = column.unique or column.primary_key or table.name == "entry"
            if unique and new[column.name] is not None:
                new[column.name] = self._other(new[column.name])
        if table.name == "calibration":
            new["version"] = new["version"] + 1000
        marks = ", ".join(["?"] * len(new))
        self._run(f"INSERT INTO {table.name} ({', '.join(new)}) VALUES ({marks})", [*new.values()])
        return _change(f"{table.name}: inserted {_key_of(table, new)!r:.80}", table, new)

    def _swap(self) -> Tampering:
        """Two rows of a table exchange what they say in one column."""
        while True:
            table = self._table()
            rows = self._rows(table)
            name = self._rng.choice([c.name for c in table.columns if not c.primary_key])
            one, two = self._rng.choice(rows), self._rng.choice(rows)
            if one[name] != two[name] and not table.columns[name].unique:
                break
        self._set(table, one, name, two[name])
        self._set(table, two, name, one[name])
        return _change(f"{table.name}.{name} of two rows swapped", table, one)

    def _exchange(self) -> Tampering:
        """Two neighbouring changes exchange their places, in every table."""
        last = self._rows(METADATA.tables["deed"])[-1]["position"]
        first = self._rng.randrange(1, last)
        for table in TABLES:
            place = position_column(table)
            for old, new in ((first, -1), (first + 1, first), (-1, first + 1)):
                statement = f"UPDATE {table.name} SET {place} = ? WHERE {place} = ?"
                self._run(statement, [new, old], none_is_fine=True)
        rows = frozenset({f"position {first}", f"position {first + 1}"})
        return Tampering(f"{first} and {first + 1} exchanged", frozenset({"deed", "entry"}), rows)

    def _cut(self) -> Tampering:
        """The end of the log and all that it recorded are gone."""
        entries = self._rows(METADATA.tables["entry"])
        at = self._rng.randrange(len(entries) - 1)
        for table in TABLES:
            statement = f"DELETE FROM {table.name} WHERE {position_column(table)} > ?"
            self._run(statement, [entries[at]["position"]], none_is_fine=True)
        lost = {(row["chain"], row["ordinal"]) for row in entries[at + 1 :]}
        if not lost:
            return self._cut()
        rows = {f"number {n} of the chain of {chain or 'the store'}" for chain, n in lost}
        return Tampering(
            f"cut after {entries[at]['position']}", frozenset({"entry"}), frozenset(rows)
        )

    def _table(self) -> Table:
        """Any table that has rows."""
        while True:
            table = self._rng.choice(TABLES)
            if self._rows(table):
                return table

    def _rows(self, table: Table) -> list[dict[str, Any]]:
        names = list(table.columns.keys())
        keys = ", ".join(column.name for column in table.primary_key)
        found = self._connection.exec_driver_sql(
            f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {keys}"
        )
        return [dict(zip(names, row, strict=True)) for row in found]

    def _row(self, table: Table) -> dict[str, Any]:
        return self._rng.choice(self._rows(table))

    def _set(self, table: Table, row: dict[str, Any], name: str, value: Any) -> None:
        statement = f"UPDATE {table.name} SET {name} = ? WHERE {_keys(table)}"
        self._run(statement, [value, *_key_of(table, row)])

    def _run(self, statement: str, values: list[Any], *, none_is_fine: bool = False) -> None:
        if self._connection.dialect.name == "postgresql":
            statement = statement.replace("?", "%s")
        done = self._connection.exec_driver_sql(statement, tuple(values))
        assert none_is_fine or done.rowcount == 1

    def _other(self, value: Any) -> Any:
        """Another value of the same kind."""
        rng = self._rng
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + rng.choice([-1, 1, 7, 1000])
        if isinstance(value, float):
            return rng.choice([math.nextafter(value, math.inf), value + 1.0, 2.0 * value + 1e-9])
        if isinstance(value, datetime):
            return value + rng.choice([-1, 1]) * timedelta(
                microseconds=rng.choice([1, 3600_000_000])
            )
        if isinstance(value, bytes | memoryview):
            content = bytearray(value)
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return rng.choice([bytes(content), bytes(content[:-1]), bytes(value) + b"\0"])
        if isinstance(value, str):
            at = rng.randrange(len(value) + 1)
            return rng.choice(
                [
                    value[:at] + "x" + value[at:],
                    value + " ",
                    " " + value,
                    value[: at - 1] + value[at:] if at else value + "0",
                    value.swapcase() if value.swapcase() != value else value + "A",
                ]
            )
        return rng.choice([0, 1])


def _change(
    words: str, table: Table, row: dict[str, Any], column: str = "", new: Any = None
) -> Tampering:
    place = position_column(table)
    positions = {row[place], new} if column == place else {row[place]}
    log = {"deed", "entry"}
    tables = log if table.name in log else {table.name}
    return Tampering(words, frozenset(tables), frozenset(f"position {p}" for p in positions))


def _keys(table: Table) -> str:
    return " AND ".join(f"{column.name} = ?" for column in table.primary_key)


def _key_of(table: Table, row: dict[str, Any]) -> list[Any]:
    return [row[column.name] for column in table.primary_key]
