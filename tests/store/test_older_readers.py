"""The statements of programs of earlier revisions work on a current store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from calib.store.schema.revision import REVISIONS
from support import raw
from support.filled import fill
from support.older_readers import TAKEN, names_of
from support.postgres import fresh_database

STATEMENTS: dict[str, dict[str, list[tuple[str, int]]]] = json.loads(TAKEN.read_text())
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=DATABASES)
def today(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The kind of a database, and a current store in it with one row of everything."""
    if request.param == "sqlite":
        place = str(tmp_path_factory.mktemp("today") / "calib.sqlite")
        fill(place)
        yield "sqlite", place
        return
    server: Any = request.getfixturevalue("postgres_server")
    with fresh_database(server) as name:
        fill(server.url(name))
        yield "postgres", server.url(name)


def test_the_oldest_reader_that_a_store_admits_and_the_last_program_are_tested(
    today: tuple[str, str],
) -> None:
    database, place = today
    ((oldest,),) = raw.execute(place, "SELECT oldest_reader FROM calib_revision")
    for revision in (oldest, REVISIONS[-2]):
        assert STATEMENTS[revision][database]


@pytest.mark.parametrize("revision", STATEMENTS)
def test_an_older_reader_gets_its_rows(today: tuple[str, str], revision: str) -> None:
    database, place = today
    names = names_of(place)
    for statement, n_rows in STATEMENTS[revision][database]:
        filled_in = statement
        for mark, name in names.items():
            filled_in = filled_in.replace(mark, name)
        assert len(raw.execute(place, filled_in)) == n_rows, filled_in
