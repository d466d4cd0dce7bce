"""What programs of earlier revisions ask is answered by a store of today (SQLite)."""

from __future__ import annotations

import json
import sqlite3

import pytest

from calib.store.schema import REVISIONS
from support.filled import fill
from support.older_readers import TAKEN, names_of

ASKED: dict[str, list[tuple[str, int]]] = json.loads(TAKEN.read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of today with one of everything."""
    found = str(tmp_path_factory.mktemp("today") / "calib.sqlite")
    fill(found)
    return found


def test_the_oldest_reader_that_a_store_admits_and_the_last_program_are_tested(place: str) -> None:
    with sqlite3.connect(place) as opened:
        (oldest,) = opened.execute("SELECT oldest_reader FROM calib_revision").fetchone()
    assert oldest in ASKED
    assert REVISIONS[-2] in ASKED


@pytest.mark.parametrize("revision", ASKED)
def test_an_older_reader_gets_its_rows(place: str, revision: str) -> None:
    names = names_of(place)
    with sqlite3.connect(f"file:{place}?mode=ro", uri=True) as opened:
        for statement, n_rows in ASKED[revision]:
            said = statement
            for mark, name in names.items():
                said = said.replace(mark, name)
            assert len(opened.execute(said).fetchall()) == n_rows, said
