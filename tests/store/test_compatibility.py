"""Older programs and newer stores: this program is the older one, and a store is changed as a later
migration would change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from calib.config.location import Location
from calib.errors import InputError, StoreReadOnlyError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.schema import revision as schema
from calib.store.store import Store
from support import raw
from support.filled import fill
from support.records import HOUR, NOON, SERIAL, application, calibration, certification, stamp

LATER = "9999"
LAST_WITHOUT = "0009"


def upgrade_later(place: str, reader: str | None, writer: str | None) -> None:
    """Upgrade as a later program might: add a column, a table and a row."""
    raw.execute(place, "ALTER TABLE calibration ADD COLUMN colour TEXT")
    raw.execute(place, "CREATE TABLE colour (name TEXT PRIMARY KEY)")
    raw.execute(place, "INSERT INTO colour VALUES ('blue')")
    raw.execute(
        place,
        "UPDATE calib_revision SET version_num = ?, admits_at = ?, oldest_reader = ?, "
        "oldest_writer = ?",
        LATER, LATER, reader, writer,
    )  # fmt: skip


def read_all(store: Store) -> list[Any]:
    """The answers of a store."""
    found = store.resolve(SERIAL, NOON + HOUR, 150.0)
    return [
        found.calibration.id,
        found.certification,
        store.calibrations.list(),
        store.certifications.list(SERIAL),
        store.log.entries(),
    ]


def test_a_program_admitted_as_reader_reads_and_does_not_write(place: str) -> None:
    fill(place)
    with Store.open(place) as store:
        before = read_all(store)
    upgrade_later(place, schema.HEAD, LATER)
    with Store.open(place) as store:
        assert read_all(store) == before
        assert store.read_only
        for write in (
            store.require_writable,
            lambda: store.applications.record(application(store.calibrations.get("1"))),
            lambda: store.certifications.certify(certification(store.calibrations.get("1"))),
        ):
            with pytest.raises(StoreReadOnlyError, match="may read, but not write") as caught:
                write()
            assert caught.value.code == "store-newer"
            assert caught.value.remedy.startswith("upgrade calib: ")
        for whole in (store.log.audit, lambda: store.bundles.export(SERIAL)):
            with pytest.raises(InputError, match="is at revision 9999"):
                whole()  # its log may contain unknown columns
    check = maintenance.check(place)[0]
    assert (check.name, check.fine) == ("revision", False)
    assert check.finding.startswith(
        f"9999, newer than this program's {schema.HEAD}, which may read"
    )


def test_loading_a_bundle_into_a_newer_store_can_be_previewed(place: str) -> None:
    fill(place)
    with Store.open(place) as store:
        bundle = store.bundles.export(SERIAL)
    upgrade_later(place, schema.HEAD, LATER)
    # As in an entry of the newer program.
    entry = "UPDATE entry SET contents = replace(contents, '{', '{\"colour\": \"aa\", ')"
    raw.tamper(place, entry)
    with Store.open(place) as store:
        loaded = store.bundles.preview_load(bundle, stamp())
    assert loaded.calibrations == ((f"{SERIAL}:1", 1, False),)


def test_a_program_admitted_as_writer_writes(place: str) -> None:
    fill(place)
    upgrade_later(place, schema.HEAD, schema.HEAD)
    with Store.open(place) as store:
        added, new = store.calibrations.add(calibration(seed=5), (None, None), stamp())
        assert new
        store.certifications.certify(certification(added), supersede=True)
        assert store.calibrations.get(added.id).version == 2
    assert all(check.fine for check in maintenance.check(place))


@pytest.mark.parametrize("reader", [None, LATER])
def test_a_program_that_is_not_admitted_is_refused(place: str, reader: str | None) -> None:
    upgrade_later(place, reader, reader)
    for use in (Store.open, Store.create, maintenance.upgrade):
        with pytest.raises(InputError, match="at revision 9999, this program knows") as caught:
            use(place)
        assert caught.value.code == "store-newer"


def test_a_migration_that_names_no_oldest_program_admits_none(place: str) -> None:
    """What an earlier migration set does not apply to a later revision."""
    raw.execute(place, "UPDATE calib_revision SET version_num = ?", LATER)
    with pytest.raises(InputError, match="at revision 9999, this program knows"):
        Store.open(place)


def test_a_program_that_runs_during_an_upgrade_may_not_write_afterwards(place: str) -> None:
    fill(place)
    with Store.open(place) as store:
        stored = store.calibrations.get("1")
        upgrade_later(place, schema.HEAD, LATER)
        assert store.resolve(SERIAL, NOON + HOUR, 150.0).calibration.id == stored.id
        n_stamps = len(raw.rows(place, "deed"))
        with pytest.raises(StoreReadOnlyError, match="may read, but not write"):
            store.certifications.certify(certification(stored))
        assert len(raw.rows(place, "deed")) == n_stamps


def test_every_revision_since_0009_names_the_oldest_programs_that_it_admits(
    empty_place: str,
) -> None:
    if not raw.is_postgres(empty_place):
        Path(empty_place).touch()
    database = Database(Location.parse(empty_place), foreign_keys=False)
    for revision in schema.REVISIONS:
        schema.migrate(database, revision)
        if revision <= LAST_WITHOUT:
            continue
        with database.reading() as connection:
            row = connection.execute(text("SELECT * FROM calib_revision")).mappings().one()
        assert row["admits_at"] == revision, (
            f"revision {revision} does not name the oldest programs"
        )
        assert LAST_WITHOUT < row["oldest_reader"] <= row["oldest_writer"] <= revision
    database.close()
    found = maintenance.revision(empty_place)
    assert found.revision == schema.HEAD
    assert None not in (found.oldest_reader, found.oldest_writer)
