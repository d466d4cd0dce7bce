"""Empty databases of both kinds for the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.config.location import Location
from calib.store.database.database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        path = tmp_path / "calib.sqlite"
        path.touch()
        return str(path)
    return str(request.getfixturevalue("fresh_postgres_url"))


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    """The database, opened as the migrations open it."""
    opened = Database(Location.parse(place), foreign_keys=False)
    yield opened
    opened.close()
