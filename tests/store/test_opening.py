"""Opening a store: it must exist, be a store, and have the revision of this program."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from calib.config.location import Location, default_location
from calib.config.settings import chosen_location
from calib.errors import InputError, IntegrityError, StoreError, StoreReadOnlyError
from calib.model.store.backup import Upgraded
from calib.passwords import without_password
from calib.store.api import maintenance
from calib.store.database.database import ADVISORY_LOCK, Database
from calib.store.database.errors import translate_errors
from calib.store.schema import revision
from calib.store.store import Store
from support import raw
from support.records import calibration, detector, stamp


def migrate(place: str, target: str) -> None:
    """Migrate a store to a revision, also downwards."""
    database = Database(Location.parse(place), foreign_keys=False)
    try:
        revision.migrate(database, target)
    finally:
        database.close()


def test_a_missing_store_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "no store" / "calib.sqlite"
    with pytest.raises(InputError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"{path}: there is no store here. Try: calib init --store '{path}'."
    )
    assert (caught.value.code, caught.value.exit_code) == ("no-store", 2)
    assert not path.parent.exists()


def test_an_empty_database_is_not_a_store(empty_place: str) -> None:
    if not raw.is_postgres(empty_place):
        Path(empty_place).touch()
    with pytest.raises(InputError, match="has no store yet") as caught:
        Store.open(empty_place)
    assert caught.value.code == "no-store"
    assert caught.value.remedy.startswith("calib init --store ")
    assert Store.create(empty_place)
    Store.open(empty_place).close()


def test_only_the_default_store_is_created_on_opening_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CALIB_STORE", str(tmp_path / "named.sqlite"))
    with pytest.raises(InputError, match="there is no store here"):
        Store.open()
    monkeypatch.delenv("CALIB_STORE")
    for read_only, create in ((True, True), (False, False)):
        with pytest.raises(InputError, match="there is no store yet") as caught:
            Store.open(read_only=read_only, create=create)
        assert caught.value.code == "no-store"
    assert list(tmp_path.iterdir()) == []
    with Store.open() as store:
        assert store.location.path == tmp_path / "data" / "calib" / "calib.sqlite"
        assert store.detectors.list() == []
    with Store.open() as store:
        assert store.detectors.add(detector(), stamp())


def test_creating_a_store_twice_creates_it_once(place: str) -> None:
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    assert not Store.create(place)
    with Store.open(place) as store:
        assert len(store.detectors.list()) == 1


def test_a_store_can_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "a store? 100 %41 #1 'ä'.sqlite"
    assert Store.create(path)
    assert path.exists()
    with Store.open(f"sqlite:///{path}") as store:
        assert store.detectors.list() == []
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("make", ["folder", "text", "other"])
def test_another_file_or_database_is_refused_and_not_changed(tmp_path: Path, make: str) -> None:
    path = tmp_path / "calib.sqlite"
    if make == "folder":
        path.mkdir()
    elif make == "text":
        path.write_text("This is a letter to my aunt.\n" * 100)
    else:
        raw.execute(str(path), "CREATE TABLE recipe (name TEXT)")
    before = path.read_bytes() if path.is_file() else b""
    messages = {
        "folder": "this is not a regular file",
        "text": "this file is not an SQLite database",
        "other": r"this database has tables of another program \(recipe\)",
    }
    for use in (Store.open, Store.create, maintenance.upgrade):
        with pytest.raises(InputError, match=messages[make]) as caught:
            use(path)
        assert caught.value.code == "not-a-store"
        assert caught.value.place == str(path)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_newer_store_is_refused(place: str) -> None:
    raw.execute(place, "UPDATE calib_revision SET version_num = '0099'")
    for use in (Store.open, Store.create, maintenance.upgrade):
        with pytest.raises(InputError) as caught:
            use(place)
        assert caught.value.problem == (
            f"the store is at revision 0099, this program knows up to {revision.HEAD}."
        )
        assert caught.value.code == "store-newer"
        assert caught.value.remedy == "upgrade calib: pip install --upgrade calib-metrology."
        assert caught.value.exit_code == 2


def test_an_older_store_is_upgraded_only_when_asked(place: str) -> None:
    migrate(place, "0003")
    for use in (Store.open, Store.create):
        with pytest.raises(InputError, match="at revision 0003, this program needs") as caught:
            use(place)
        assert caught.value.code == "store-older"
        assert caught.value.remedy.startswith("calib db upgrade --store ")
    assert maintenance.upgrade(place) == Upgraded("0003", revision.HEAD, None)
    assert maintenance.upgrade(place) == Upgraded(revision.HEAD, revision.HEAD, None)
    Store.open(place).close()


def test_a_store_opened_for_reading_is_not_written(place: str) -> None:
    with Store.open(place, read_only=True) as store:
        assert store.read_only
        with pytest.raises(StoreReadOnlyError):
            store.detectors.add(detector(), stamp())
        assert store.detectors.list() == []


def test_a_writer_waits_for_another_and_then_reports_the_lock(place: str) -> None:
    with raw.connection(place) as other, Store.open(place, wait_seconds=0.2) as store:
        if raw.is_postgres(place):
            other.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        else:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program is writing") as caught:
            store.detectors.add(detector(), stamp())
        assert (caught.value.code, caught.value.exit_code) == ("store-locked", 3)
        assert store.detectors.list() == []  # readers are not blocked
        if raw.is_postgres(place):
            other.execute(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")
        else:
            other.execute("COMMIT")
        assert store.detectors.add(detector(), stamp())


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_write_ahead_log_that_disappears_during_opening_leaves_the_store_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    beside = path.with_name(f"{path.name}{ending}")
    beside.touch()
    asked, removed = os.access, []

    def removed_first(name: str | Path, mode: int) -> bool:
        if str(name) == str(beside):  # as another process does that closes its connection
            beside.unlink()
            removed.append(name)
        return asked(name, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "access", removed_first)
        store = Store.open(path)
    with store:
        assert removed
        assert not store.read_only
        assert store.detectors.add(detector(), stamp())


def test_the_locking_protocol_error_is_reported_as_a_locked_store(tmp_path: Path) -> None:
    met = sqlite3.OperationalError("locking protocol")  # after ten seconds of trying
    met.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
    place = Location.parse(tmp_path / "calib.sqlite")
    with (
        pytest.raises(StoreError, match="another program is writing") as caught,
        translate_errors(place),
    ):
        raise met
    assert caught.value.code == "store-locked"


def test_a_damaged_file_is_an_integrity_error(tmp_path: Path) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    with Store.open(path) as store:
        store.calibrations.add(
            calibration(n_panels=60), (None, None), stamp(), detector(n_panels=60)
        )
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * len(content[4096 * 3 :])
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught, Store.open(path) as store:
        store.calibrations.get("1")
    assert caught.value.code == "store-broken"
    assert caught.value.remedy == "restore the store from a backup."


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("postgresql://ada:secret@host:5432/db", "postgresql+psycopg://ada:***@host:5432/db"),
        ("postgres://ada:se:cr@et@host/db", "postgresql+psycopg://ada:***@host/db"),
        ("postgresql://ada:se/cr@host/db", "postgresql+psycopg://ada:***@host/db"),
        ("postgresql://host/db?user=ada&password=secret", "postgresql+psycopg://host/db?user=ada"),
        ("postgresql+psycopg://ada@host/db", "postgresql+psycopg://ada@host/db"),
    ],
)
def test_an_address_is_shown_without_its_password(named: str, shown: str) -> None:
    place = Location.parse(named)
    assert place.path is None
    assert place.shown.startswith(shown)
    for text in (place.shown, place.option, without_password(named)):
        assert "secret" not in text
        assert "cr" not in text


NO_FILES = (
    "postgresql:/ada:secret@host/db",
    "host=db.example user=ada password=secret",
    "host=db.example sslpassword = 'secret'",
    "ada:secret@host/db",
    "/data:/calib.sqlite",
)


@pytest.mark.parametrize(
    "named", ["mysql://ada:secret@host/db", "http://host/", "sqlite://", " ", *NO_FILES]
)
def test_a_location_is_a_file_or_a_postgres_address(named: str) -> None:
    with pytest.raises(InputError) as caught:
        Location.parse(named)
    assert caught.value.code == "bad-location"
    assert "secret" not in str(caught.value)


def test_the_option_comes_before_the_environment(tmp_path: Path) -> None:
    environment = {"CALIB_STORE": str(tmp_path / "b.sqlite")}
    assert chosen_location(tmp_path / "a.sqlite", environment).path == tmp_path / "a.sqlite"
    assert chosen_location(None, environment).path == tmp_path / "b.sqlite"
    assert chosen_location(None, {"CALIB_STORE": ""}) == default_location()
    assert chosen_location(None, {}) == default_location()


def test_a_read_sees_one_snapshot(place: str) -> None:
    database = Database(Location.parse(place), wait_seconds=0.2)
    with Store.open(place, wait_seconds=0.2) as store, database.reading() as connection:
        count = "SELECT count(*) FROM detector"
        assert connection.exec_driver_sql(count).scalar() == 0
        assert store.detectors.add(detector(), stamp())  # without waiting
        assert connection.exec_driver_sql(count).scalar() == 0
    database.close()


def test_the_file_is_made_durable(tmp_path: Path) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    database = Database(Location.parse(path))
    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert raw.execute(str(path), "PRAGMA integrity_check") == [("ok",)]


def test_changed_tables_are_an_integrity_error(tmp_path: Path) -> None:
    place = tmp_path / "calib.sqlite"
    Store.create(place)
    raw.execute(str(place), "ALTER TABLE application RENAME COLUMN version TO number")
    with Store.open(place) as store, pytest.raises(IntegrityError) as caught:
        store.applications.list()
    assert caught.value.code == "store-broken"
    assert "calib db check" in caught.value.remedy


def test_damaged_text_is_an_integrity_error(tmp_path: Path) -> None:
    place = tmp_path / "calib.sqlite"
    Store.create(place)
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    content = place.read_bytes()
    assert b"PILATUS, S/N" in content
    for path in tmp_path.glob("calib.sqlite-*"):
        path.unlink()
    place.write_bytes(content.replace(b"PILATUS, S/N", b"PILATUS\xff S/N"))
    with Store.open(place) as store, pytest.raises(IntegrityError) as caught:
        store.detectors.list()
    assert caught.value.code == "store-broken"
