"""The migrations lead from an empty database to the current tables and back, and lose no row."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from calib.config.location import Location
from calib.errors import IntegrityError, StoreError
from calib.model.store.backup import Upgraded
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.schema import revision as schema
from calib.store.schema.tables import METADATA
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.filled import fill_every_table
from support.records import (
    SERIAL,
    calibration,
    detector,
    with_summaries,
)

TABLES_SINCE = {
    "0001": ("deed", "detector"),
    "0002": ("dataset", "artifact", "calibration", "calibration_dataset", "panel"),
    "0003": ("certification", "withdrawal"),
    "0004": ("application",),
    "0005": (),
    "0006": ("entry",),
    "0007": ("placement",),
    "0008": ("summary", "calibration_summary"),
    "0009": ("provenance",),
    "0010": (),
    "0011": ("store_rule",),
    "0012": ("origin",),
    "0013": (),
    "0014": ("binding", "summary_content"),
    "0015": ("detector_edit", "retirement", "relabelling", "anchored_checkpoint"),
    "0016": ("layout",),
}
"""The tables that each revision adds."""
COLUMNS_SINCE = {"certification": ("0006", 1)}
"""Tables to which a revision appends columns: the revision and their number."""


@contextlib.contextmanager
def opened(place: str) -> Iterator[Database]:
    """The database, opened as the migrations open it."""
    database = Database(Location.parse(place), foreign_keys=False)
    try:
        yield database
    finally:
        database.close()


def tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(inspect(connection).get_table_names()) - {schema.VERSION_TABLE}


def tables_until(revision: str) -> list[str]:
    return [
        table for known in schema.REVISIONS if known <= revision for table in TABLES_SINCE[known]
    ]


def rows_at(revision: str, table: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of the current table without the columns that the revision does not have."""
    since, n_added = COLUMNS_SINCE.get(table, ("", 0))
    return [row[:-n_added] for row in rows] if revision < since else rows


def triggers(place: str) -> set[tuple[str, str]]:
    if raw.is_postgres(place):
        found = raw.execute(
            place,
            "SELECT event_object_table, event_manipulation FROM information_schema.triggers",
        )
        return {(table, change) for table, change in found}
    names = raw.execute(place, "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    return {
        (table, name.removeprefix(f"{table}_").removeprefix("no_").upper()) for name, table in names
    }


def expected_triggers(place: str) -> set[tuple[str, str]]:
    """UPDATE and DELETE are refused everywhere; on SQLite some insertions as well."""
    changes = ["UPDATE", "DELETE"]
    if not raw.is_postgres(place):
        changes += ["REPLACE", "TYPES"]
    return {(table, change) for table in raw.TABLES for change in changes}


def differences(database: Database) -> list[Any]:
    options = {**schema.alembic_options()}
    del options["transactional_ddl"]
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[Any] = compare_metadata(context, METADATA)
        return found


def dropped(revision: str) -> set[str]:
    """The tables that a revision lacks although its log has hashes of their rows: an audit reports
    the rows that a downgrade dropped, as it should, and the bindings of their entries."""
    if revision < "0006":
        return set()
    missing = set(raw.TABLES) - set(tables_until(revision))
    return missing | {"binding"} if missing else missing


def read_detector(store: Store, revision: str) -> None:
    """Read the detector; refused if a downgrade dropped changes of it that the log contains."""
    if "detector_edit" in dropped(revision):
        with pytest.raises(IntegrityError, match=r"detector-edit .* row was deleted"):
            store.detectors.get(SERIAL)
    else:
        assert store.detectors.get(SERIAL).layout_id == detector().layout_id


def test_there_is_one_chain_of_revisions_and_the_program_lists_it() -> None:
    script = ScriptDirectory.from_config(schema.alembic_config())
    assert script.get_heads() == [schema.HEAD]
    walked = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(walked)) == schema.REVISIONS
    assert tuple(TABLES_SINCE) == schema.REVISIONS


def test_migrations_are_numbered_and_named_and_give_a_reason() -> None:
    script = ScriptDirectory.from_config(schema.alembic_config())
    for revision in script.walk_revisions():
        name = Path(revision.path).name
        assert re.fullmatch(rf"{revision.revision}_[a-z_]+\.py", name)
        assert revision.doc
        assert "\nWhy: " in (revision.module.__doc__ or "")


def test_up_down_and_up_gives_the_current_tables(place: str, database: Database) -> None:
    for _ in range(2):
        schema.migrate(database)
        assert tables(database) == set(raw.TABLES)
        assert differences(database) == []
        assert triggers(place) == expected_triggers(place)
        schema.migrate(database, "base")
        assert tables(database) == set()
        assert triggers(place) == set()


def test_a_difference_between_tables_and_migrations_is_reported(database: Database) -> None:
    schema.migrate(database, "0003")
    assert [difference[0] for difference in differences(database)][:1] == ["add_table"]


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_an_upgrade_keeps_every_row(copy_of: Callable[[Fill], str], revision: str) -> None:
    """A store of that revision with rows in all its tables, on both databases."""
    place = copy_of(fill_every_table)
    before = raw.everything(place)
    assert all(before.values())
    kept = tables_until(revision)
    with opened(place) as database:
        schema.migrate(database, revision)
        assert tables(database) == set(kept)
    for table in kept:
        assert raw.rows(place, table) == rows_at(revision, table, before[table])
    assert maintenance.upgrade(place) == Upgraded(revision, schema.HEAD, None)
    for table in raw.TABLES:
        found = raw.rows(place, table)
        if table == "entry" and table not in kept:
            assert len(found) == len(before["deed"])
        else:
            wanted = before[table] if table in kept else []
            assert rows_at(revision, table, found) == rows_at(revision, table, wanted)
    with Store.open(place) as store:
        audit = store.log.audit()
        assert {finding.table for finding in audit.findings} == dropped(revision)
        assert audit.n_entries == len(before["deed"])
        read_detector(store, revision)
        if "calibration" in kept:
            assert store.calibrations.get("1").id == with_summaries(calibration())[0].id


def test_a_store_made_at_each_revision_reads_after_the_upgrade(
    copy_of: Callable[[Fill], str],
) -> None:
    place = copy_of(fill_every_table)
    filled = raw.everything(place)
    for revision in schema.REVISIONS:
        with opened(place) as database:
            schema.migrate(database, "base")
            schema.migrate(database, revision)
        for table in tables_until(revision):
            raw.insert_rows(place, table, rows_at(revision, table, filled[table]))
        with opened(place) as database:
            schema.migrate(database)
        with Store.open(place) as store:
            assert {finding.table for finding in store.log.audit().findings} == dropped(revision)
            read_detector(store, revision)
            assert len(store.calibrations.list()) == (1 if revision >= "0002" else 0)
            assert len(store.certifications.list(SERIAL)) == (2 if revision >= "0003" else 0)
            assert len(store.applications.list()) == (1 if revision >= "0004" else 0)


def test_an_upgrade_that_fails_changes_nothing(place: str, database: Database) -> None:
    schema.migrate(database, "0001")
    raw.execute(place, "CREATE TABLE application (name TEXT)")  # conflicts with 0004
    with pytest.raises(
        StoreError, match="to revision head failed and the store is unchanged"
    ) as caught:
        schema.migrate(database)
    assert caught.value.code == "migration-failed"
    assert tables(database) == {"deed", "detector", "application"}
    with database.reading() as connection:
        assert schema.revision_of(connection) == "0001"
    raw.execute(place, "DROP TABLE application")
    schema.migrate(database)
    assert differences(database) == []


def test_foreign_keys_to_missing_rows_stop_an_upgrade(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    fill_every_table(place)
    with opened(place) as database:
        schema.migrate(database, "0004")
    raw.tamper(place, "DELETE FROM detector")
    with pytest.raises(IntegrityError, match="rows that are missing") as caught:
        maintenance.upgrade(place)
    assert "calibration to detector" in caught.value.problem
    assert raw.execute(place, "SELECT version_num FROM calib_revision") == [("0004",)]
    assert triggers(place) == set()


def test_the_migrations_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Store.create("calib.sqlite")
    assert (tmp_path / "calib.sqlite").exists()
