"""One suite, both databases."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import StoredCalibration
from calib.store.store import Store
from support.copies import Fill
from support.records import (
    DAY,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    detector,
    provenance,
    stamp,
    with_summaries,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where no store is yet: a path, or the address of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "calib.sqlite")
    return str(request.getfixturevalue("fresh_postgres_url"))


@pytest.fixture
def place(copy_of: Callable[[Fill], str]) -> str:
    """Where an empty store is."""
    return copy_of(Store.create)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An empty store, open."""
    with Store.open(place) as opened:
        yield opened


@pytest.fixture
def stored(store: Store) -> StoredCalibration:
    """The one calibration of the one detector of the store."""
    return store.calibrations.add(calibration(), (NOON, None), stamp(), detector())[0]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody may write (``tmp_path`` is below one that others may not enter)."""
    folder = Path(tempfile.mkdtemp(prefix="calib-shared-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A store in a folder that everybody may read and nobody else may write."""
    # Not tmp_path: other users may not enter the folders above it.
    folder = Path(tempfile.mkdtemp(prefix="calib-shared-"))
    path = folder / "calib.sqlite"
    Store.create(path)
    with Store.open(path) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))
    path.chmod(0o444)
    folder.chmod(0o555 if os.getuid() else 0o755)
    yield path
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two calibrations of a detector, certified, one withdrawn, applied and moved."""
    place = tmp_path_factory.mktemp("home") / "home.sqlite"
    Store.create(place)
    with Store.open(place) as store:
        record, files = with_summaries(calibration())
        first, _ = store.calibrations.add(
            record, (NOON, None), stamp(), detector(), files, provenance()
        )
        second, _ = store.calibrations.add(calibration(seed=1), (NOON, NOON), stamp())
        wrong = store.certifications.certify(certification(second, NOON, NOON + DAY))
        store.certifications.withdraw(wrong.number, "a loose cable", stamp())
        store.certifications.certify(certification(first, NOON, NOON + DAY))
        store.certifications.certify(certification(second, NOON + DAY))
        store.applications.record(application(first))
        store.placements.place(BeamlinePlacement(0, SERIAL, "I04", NOON, "", stamp()), stamp())
    return place


@pytest.fixture
def home(filled_home: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that store, open."""
    place = tmp_path / "home.sqlite"
    shutil.copy(filled_home, place)
    with Store.open(place) as store:
        yield store
