"""Backups can be restored to either database without any difference."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calib.config.location import Location
from calib.errors import CalibError, InputError, IntegrityError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.database.journal import has_wal
from calib.store.schema import revision as schema
from calib.store.store import Store
from support import children, raw
from support.copies import Fill
from support.filled import add_amendments, add_summary_content, fill
from support.records import (
    HOUR,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    detector,
    stamp,
)


def fill_more(place: str) -> None:
    """Make a store with a row of everything, with text outside ASCII and values that need all bits
    of a double."""
    fill_without_amendments(place)
    add_amendments(place)


def fill_without_amendments(place: str) -> None:
    """The same with nothing that a store before revision 0015 cannot hold."""
    fill(place)
    add_summary_content(place)
    with Store.open(place) as store:
        store.detectors.add(detector("zweiter"), stamp(actor="Zoë"))
        for seed in (1, 2):
            stored, _ = store.calibrations.add(calibration(seed=seed), (NOON, None), stamp())
            store.certifications.certify(certification(stored), supersede=True)
            store.applications.record(application(stored))


@pytest.fixture
def place(copy_of: Callable[[Fill], str]) -> str:
    """Where that store is."""
    return copy_of(fill_more)


def read_all(place: str) -> list[Any]:
    """The answers of the store through its interface."""
    with Store.open(place) as store:
        found = store.resolve(SERIAL, NOON + HOUR, 150.0)
        return [
            (found.calibration.id, found.certification, found.position),
            [(line.id, line.version, line.serial) for line in store.calibrations.list()],
            [store.calibrations.get(line.id).stored for line in store.calibrations.list()],
            store.certifications.list(SERIAL),
            store.applications.list(),
            [(one.serial, one.layout_id) for one in store.detectors.list()],
            store.log.entries(),
            store.log.heads(),
            store.log.audit(),
        ]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of the restored store, on either database."""
    if request.param == "sqlite":
        return str(tmp_path / "restored.sqlite")
    return str(request.getfixturevalue("second_postgres_url"))


def test_a_restored_store_gives_the_same_answers_and_can_be_written(
    place: str, empty_other: str, tmp_path: Path
) -> None:
    path = tmp_path / "calib.backup.sqlite"
    made = maintenance.back_up(place, path)
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (made.revision, made.n_bytes) == (schema.HEAD, path.stat().st_size)
    before = read_all(place)
    with Store.open(place) as store:  # not in the backup
        store.detectors.add(detector("later"), stamp())

    restored = maintenance.restore(empty_other, path)
    assert (restored.revision, restored.sha256) == (made.revision, made.sha256)
    for other in (empty_other, str(path)):
        assert read_all(other) == before
        assert all(check.fine for check in maintenance.check(other))
        with Store.open(other, read_only=True) as store:
            assert store.log.audit().findings == ()
    with Store.open(empty_other) as store:
        added, new = store.calibrations.add(calibration(seed=9), (None, None), stamp())
        assert new
        assert added.version == 4
    with pytest.raises(Exception, match="only ever added"):
        raw.execute(empty_other, "DELETE FROM panel")


def test_every_row_comes_back_as_it_was(place: str, empty_other: str, tmp_path: Path) -> None:
    """Every value is the same after a backup, a restore and a second backup."""
    first, second = tmp_path / "first.sqlite", tmp_path / "second.sqlite"
    maintenance.back_up(place, first)
    maintenance.restore(empty_other, first)
    maintenance.back_up(empty_other, second)
    for table in raw.TABLES:
        assert raw.rows(str(first), table) == raw.rows(str(second), table)
        assert raw.rows(str(first), table)
    if raw.is_postgres(place) == raw.is_postgres(empty_other):
        for table in raw.TABLES:
            assert raw.rows(place, table) == raw.rows(empty_other, table)


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_a_store_of_every_revision_is_backed_up_and_restored(
    copy_of: Callable[[Fill], str], revision: str, tmp_path: Path
) -> None:
    place = copy_of(fill_more if revision >= "0015" else fill_without_amendments)
    database = Database(Location.parse(place), foreign_keys=False)
    schema.migrate(database, revision)
    database.close()
    path, other = tmp_path / "old.sqlite", tmp_path / "restored.sqlite"
    assert maintenance.back_up(place, path).revision == revision
    maintenance.restore(other, path)
    assert maintenance.revision(other).revision == revision
    assert raw.rows(str(other), "deed") == raw.rows(str(path), "deed")
    maintenance.upgrade(other)
    with Store.open(other) as store:
        assert [record.serial for record in store.detectors.list()] == [SERIAL, "zweiter"]


def test_a_backup_is_consistent_while_others_write(place: str, tmp_path: Path) -> None:
    with Store.open(place) as store:
        turns = 5
        for turn in range(turns):
            before = len(store.detectors.list())
            store.detectors.add(detector(f"more {turn}"), stamp())
            maintenance.back_up(place, tmp_path / f"{turn}.sqlite")
            with Store.open(tmp_path / f"{turn}.sqlite", read_only=True) as copy:
                assert len(copy.detectors.list()) == before + 1


def test_nothing_is_ever_overwritten(place: str, tmp_path: Path) -> None:
    path = tmp_path / "calib.backup.sqlite"
    maintenance.back_up(place, path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="never overwritten") as caught:
        maintenance.back_up(place, path)
    assert (caught.value.code, path.read_bytes()) == ("output-exists", before)
    for dry_run in (True, False):
        with pytest.raises(InputError, match="a restore never replaces one") as caught:
            maintenance.restore(place, path, dry_run=dry_run)
        assert caught.value.code == "store-exists"
    assert read_all(place)


def test_a_backup_that_was_changed_is_not_restored(place: str, tmp_path: Path) -> None:
    path, other = tmp_path / "calib.backup.sqlite", tmp_path / "restored.sqlite"
    maintenance.back_up(place, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="its SHA-256 is not the one") as caught:
        maintenance.restore(other, path)
    assert caught.value.code == "changed-backup"
    path.with_name(f"{path.name}.sha256").unlink()
    content[4096:] = b"\xff" * (len(content) - 4096)  # damage that the database itself detects
    path.write_bytes(content)
    with pytest.raises(CalibError) as caught_too:
        maintenance.restore(other, path)
    assert caught_too.value.code in ("store-broken", "not-a-store")
    assert sorted(entry.name for entry in tmp_path.glob("*restored*")) == []


def test_a_file_that_is_not_a_backup_is_refused(tmp_path: Path) -> None:
    letter, other = tmp_path / "letter.txt", tmp_path / "restored.sqlite"
    with pytest.raises(InputError, match="there is no such file"):
        maintenance.restore(other, letter)
    letter.write_text("This is a letter to my aunt.\n" * 100)
    with pytest.raises(InputError, match="not an SQLite database"):
        maintenance.restore(other, letter)
    assert not other.exists()


def test_a_restored_file_keeps_a_log_and_a_backup_is_one_file(tmp_path: Path) -> None:
    place = tmp_path / "calib.sqlite"
    Store.create(place)
    fill_more(str(place))
    with Store.open(place) as store:
        store.detectors.list()
        maintenance.back_up(place, tmp_path / "b.sqlite")
        maintenance.restore(tmp_path / "r.sqlite", tmp_path / "b.sqlite")
    assert (has_wal(tmp_path / "b.sqlite"), has_wal(tmp_path / "r.sqlite")) == (False, True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "b.sqlite", "b.sqlite.sha256", "calib.sqlite", "r.sqlite",
    ]  # fmt: skip


def test_a_backup_has_its_time_in_its_name(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, 9, 30, 5, tzinfo=UTC)
    assert maintenance.backup_name(tmp_path / "calib.db", now) == (
        tmp_path / "calib-20260301T093005Z.backup.sqlite"
    )
    server = maintenance.backup_name("postgresql://ada:secret@host/beamline", now)
    assert server == Path.cwd() / "beamline-20260301T093005Z.backup.sqlite"


def test_an_upgrade_is_backed_up_first(place: str, tmp_path: Path) -> None:
    database = Database(Location.parse(place), foreign_keys=False)
    schema.migrate(database, "0005")
    database.close()
    path = tmp_path / "before.sqlite"
    dry = maintenance.upgrade(place, path, dry_run=True)
    assert (dry.before, dry.after, dry.backup) == ("0005", schema.HEAD, None)
    assert maintenance.revision(place).revision == "0005"
    assert not path.exists()
    if schema.HEAD == "0005":
        return
    done = maintenance.upgrade(place, path)
    assert done.backup is not None
    assert maintenance.revision(path).revision == "0005"
    assert maintenance.revision(place).revision == schema.HEAD
    assert maintenance.upgrade(place, tmp_path / "again.sqlite").backup is None


READER = """
import json, os, sys
from pathlib import Path
from support.people import become_another_user
from calib.errors import CalibError
from calib.store.api import maintenance
become_another_user()
made = maintenance.back_up(sys.argv[1], Path(sys.argv[2]))
print(json.dumps([made.revision, all(check.fine for check in maintenance.check(sys.argv[1]))]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_write_access_can_back_up_and_check(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"calib-{tmp_path.name}-{os.getpid()}"  # noqa: S108
    (folder / "mine").mkdir(parents=True)
    try:
        Store.create(folder / "calib.sqlite")
        (folder / "mine").chmod(0o777)
        printed = children.run(
            READER, str(folder / "calib.sqlite"), str(folder / "mine" / "b.sqlite")
        )
        assert json.loads(printed) == [schema.HEAD, True]
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
