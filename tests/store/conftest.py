"""One suite, both databases."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.model.record import StoredCalibration
from calib.store.store import Store
from support.records import NOON, calibration, deed, detector


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where no store is yet: a path, or the address of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "calib.sqlite")
    return str(request.getfixturevalue("fresh_postgres_url"))


@pytest.fixture
def place(empty_place: str) -> str:
    """Where an empty store is."""
    Store.create(empty_place)
    return empty_place


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An empty store, open."""
    with Store.open(place) as opened:
        yield opened


@pytest.fixture
def stored(store: Store) -> StoredCalibration:
    """The one calibration of the one detector of the store."""
    return store.add_calibration(calibration(), (NOON, None), deed(), detector())[0]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody may write (``tmp_path`` is below one that others may not enter)."""
    folder = Path(tempfile.mkdtemp(prefix="calib-shared-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
