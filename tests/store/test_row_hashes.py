"""The hash of rows covers every value, whatever its type, and does not depend on their order."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from itertools import permutations, product
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Double, Integer, LargeBinary, MetaData, Table
from sqlalchemy.types import TypeEngine

from calib.model.base.canonical import microseconds
from calib.model.store.log import LATEST, rows_id
from calib.store.log.row_hashes import FIRST, LAST, canonical_value, hash_of
from calib.store.schema.columns import Instant, Text

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS: list[TypeEngine[Any]] = [
    Integer(),
    Text(),
    Double(),
    Boolean(),
    LargeBinary(),
    Instant(),
]
VALUES = [3, 1.5, math.inf, math.nan, "x", b"x", True, None, NOON]
"""What a driver can return; SQLite stores any of these in a column of any type."""
WRONG: list[tuple[TypeEngine[Any], Any]] = [
    (Integer(), 1.5),
    (Integer(), b"3"),
    (Text(), 1.5),
    (Text(), b"x"),
    (Double(), 3),
    (Double(), "1.5"),
    (Double(), math.inf),
    (Boolean(), 2),
    (Boolean(), "yes"),
    (LargeBinary(), "x"),
    (Instant(), "2026-03-01"),
    (Instant(), 2**62),
]
VALID: list[tuple[TypeEngine[Any], Any, Any]] = [
    (Integer(), 3, 3),
    (Text(), "x", "x"),
    (Double(), 1.5, 1.5),
    (Boolean(), 1, True),
    (Boolean(), 0, False),
    (Boolean(), True, True),
    (LargeBinary(), b"x", hashlib.sha256(b"x").hexdigest()),
    (LargeBinary(), memoryview(b"x"), hashlib.sha256(b"x").hexdigest()),
    (Instant(), NOON, NOON),
    (Instant(), microseconds(NOON), NOON),
    *((kind, None, None) for kind in KINDS),
]
"""Values as the drivers of both databases return them, and what is hashed."""


def table_of(kind: TypeEngine[Any]) -> Table:
    """A table whose key is not its first column."""
    return Table("t", MetaData(), Column("value", kind), Column("key", Text, primary_key=True))


def named(kind: object) -> str:
    by_name = isinstance(
        kind, TypeEngine | memoryview
    )  # without an address, which processes differ in
    return type(kind).__name__ if by_name else repr(kind)


@pytest.mark.parametrize(("kind", "value", "expected"), VALID, ids=named)
def test_valid_values_are_hashed_alike_whichever_database_returns_them(
    kind: TypeEngine[Any], value: Any, expected: Any
) -> None:
    found = canonical_value(kind, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_a_column_is_hashed_as_its_values_one_by_one(kind: TypeEngine[Any]) -> None:
    for values in product(VALUES, repeat=2):
        rows = list(zip(values, ["a", "b"], strict=True))
        one_by_one = [canonical_value(kind, value) for value in values]
        assert hash_of(table_of(kind), rows) == rows_id({"value": one_by_one, "key": ["a", "b"]})


@pytest.mark.parametrize(("kind", "wrong"), WRONG, ids=named)
def test_a_value_of_a_wrong_type_is_hashed_as_no_null_and_no_valid_value(
    kind: TypeEngine[Any], wrong: Any
) -> None:
    assert canonical_value(kind, wrong) == f"\0 {wrong!r}"
    table = table_of(kind)
    assert hash_of(table, [(wrong, "a")]) != hash_of(table, [(None, "a")])


def test_the_hash_does_not_depend_on_the_order_of_the_rows() -> None:
    rows = [(None, "a"), (2, "b"), ("x", 1), (b"x", "1"), (None, 1.5)]
    assert len({hash_of(table_of(Integer()), order) for order in permutations(rows)}) == 1


def test_rows_that_exchange_their_values_have_another_hash() -> None:
    table = table_of(Integer())
    assert hash_of(table, [(1, "a"), (2, "b")]) != hash_of(table, [(2, "a"), (1, "b")])


def test_the_bounds_of_positions_are_those_of_integers_in_both_databases() -> None:
    """64 bits, with a sign."""
    assert (FIRST, LAST, LATEST) == (-(2**63), 2**63 - 1, 2**63 - 1)
