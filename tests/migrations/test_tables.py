"""The table classes: their DDL, their annotations, and values that columns give back unchanged."""

from __future__ import annotations

import hashlib
import types
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest
from sqlalchemy import Dialect, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from calib.errors import InputError
from calib.store.database.database import Database
from calib.store.schema import revision as schema
from calib.store.schema.fields import StoreTable, table_of
from calib.store.schema.tables import ARTIFACT, DATASET, DEED, METADATA
from support import raw

DDL = {
    "sqlite": "1e864a9435407549c52ce0a57467c3d434d7557c729bc917777f0d4c49ebc15a",
    "postgresql": "eed058b454e84a68e4a792154affe6d2f76da7ed8e6e2afc643054d594fdb60b",
}
"""The SHA-256 of the statements that would make the tables of revision 0016. They change only
together with a new revision."""
CLASSES = StoreTable.__subclasses__()


def statements(dialect: Dialect) -> list[str]:
    """CREATE TABLE and CREATE INDEX of every table."""
    made = []
    for table in METADATA.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        made += sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
    return made


DIALECTS = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_classes_declare_the_same_ddl_to_the_letter(dialect: Dialect) -> None:
    assert schema.HEAD == "0016"
    text = "\n".join(statements(dialect))
    assert hashlib.sha256(text.encode()).hexdigest() == DDL[dialect.name], text


def test_every_table_of_a_store_has_one_class_and_no_other_model_is_among_them() -> None:
    assert sorted(table_of(model).name for model in CLASSES) == sorted(raw.TABLES)
    assert set(METADATA.tables) == set(raw.TABLES)
    assert not set(raw.TABLES) & set(SQLModel.metadata.tables)


@pytest.mark.parametrize("model", CLASSES, ids=lambda model: model.__name__)
def test_every_column_is_annotated_as_it_is_declared_and_described(model: type[StoreTable]) -> None:
    hints = get_type_hints(model)
    fields = model.model_fields
    table = table_of(model)
    assert list(fields) == [column.name for column in table.columns]
    assert model.__doc__
    for column in table.columns:
        hint = hints[column.name]
        optional = isinstance(hint, types.UnionType)
        assert optional == column.nullable, column
        kinds = set(get_args(hint)) - {type(None)} if optional else {hint}
        assert kinds == {column.type.python_type}, column
        assert fields[column.name].description, column


def read_back(database: Database, table: Table, values: dict[str, Any]) -> dict[str, Any]:
    """Insert a row and read it again in another transaction."""
    with database.writing() as connection:
        connection.execute(insert(table).values(**values))
    (key,) = table.primary_key
    with database.reading() as connection:
        row = connection.execute(select(table).where(key == values[key.name])).one()
        return dict(row._mapping)


@pytest.fixture
def migrated(database: Database) -> Database:
    schema.migrate(database)
    return database


INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
TEXTS = ("", " ", "a\r\n\tb", "Å λ 検出器 \U0001f52c", "e\u0301", "' \" \\ % :x %(x)s")
DOUBLES = (0.1, 5e-324, 1.7976931348623157e308, -1.0000000000000002)
INTEGERS = (-(2**63), 0, 2**63 - 1)


def test_columns_give_back_exactly_what_was_put_in(migrated: Database) -> None:
    """Except -0.0, which SQLite reads back as 0.0 and the canonical form does not distinguish."""
    for position, (at, text) in enumerate(zip(INSTANTS, TEXTS, strict=False), 1):
        row = {"position": position, "recorded_at": at, "actor": text, "host": text}
        found = read_back(migrated, DEED, row)
        assert found == row
        assert found["recorded_at"].tzinfo is UTC
    every = [(text, 0.5, 1) for text in TEXTS]
    every += [("", double, 1) for double in DOUBLES]
    every += [("", 0.5, integer) for integer in INTEGERS]
    for number, (text, double, integer) in enumerate(every):
        row = {
            "id": f"{number} {text}",
            "position": 1,
            "sha256": text,
            "name": text,
            "n_reflections": integer,
            "distance_mm": double,
            "wavelength_angstrom": double,
            "started": None,
        }
        assert read_back(migrated, DATASET, row) == row
    content = bytes(range(256))
    stored = {"sha256": "x", "position": 1, "kind": "covariance", "content": content}
    assert read_back(migrated, ARTIFACT, stored) == stored


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "lone surrogate"])
def test_text_that_a_database_cannot_hold_is_refused(migrated: Database, text: str) -> None:
    row = {"position": 1, "recorded_at": INSTANTS[0], "actor": text, "host": ""}
    with pytest.raises(InputError) as caught:
        read_back(migrated, DEED, row)
    assert caught.value.code == "bad-text"
