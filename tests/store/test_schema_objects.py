"""Whatever somebody added to the schema of a store is named, on both databases."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from calib.config.location import Location
from calib.errors import IntegrityError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.schema.objects import schema_findings
from calib.store.store import Store
from support import raw
from support.records import NOON, SERIAL, calibration, certification, detector, stamp

SQLITE = {
    "CREATE TRIGGER spy AFTER INSERT ON entry BEGIN SELECT 1; END": "the trigger spy",
    "DROP TRIGGER panel_no_update": "the trigger panel_no_update is missing",
    "DROP TRIGGER panel_types": "the trigger panel_types is missing",
    "CREATE INDEX spy ON panel (name)": "the index spy",
    "CREATE UNIQUE INDEX spy ON panel (name) WHERE panel < 0": "the index spy",
    "DROP INDEX ix_entry_kind": "the index ix_entry_kind is missing",
    "ALTER TABLE panel ADD COLUMN spy AS (dx * 2)": "the definition of the table panel",
    "ALTER TABLE panel RENAME TO kept;; CREATE VIEW panel AS SELECT * FROM kept": "the view panel",
    "PRAGMA writable_schema = ON;; UPDATE sqlite_master SET sql = "
    "replace(sql, 'distance_max_mm DOUBLE', 'distance_max_mm TEXT') WHERE name = "
    "'certification'": "the definition of the table certification",
    "PRAGMA writable_schema = ON;; UPDATE sqlite_master SET sql = replace(sql, 'ABORT', 'IGNORE') "
    "WHERE name = 'entry_no_delete'": "the definition of the trigger entry_no_delete",
    "PRAGMA writable_schema = ON;; DELETE FROM sqlite_master "
    "WHERE name = 'entry_no_replace'": "the trigger entry_no_replace is missing",
}
POSTGRES = {
    "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;; "
    "CREATE TRIGGER spy AFTER INSERT ON entry FOR EACH ROW "
    "EXECUTE FUNCTION spy()": "the trigger spy",
    "ALTER TABLE panel DISABLE TRIGGER append_only": "the trigger that protects its rows",
    "ALTER TABLE panel DISABLE TRIGGER ALL": "a foreign key is not enforced",
    "CREATE OR REPLACE FUNCTION calib_append_only() RETURNS trigger LANGUAGE plpgsql "
    "AS $$ BEGIN RETURN NULL; END $$": "the trigger that protects its rows",
    "CREATE POLICY spy ON panel USING (panel > 0)": "the policy spy",
    "ALTER TABLE panel ENABLE ROW LEVEL SECURITY": "row level security",
    "CREATE RULE spy AS ON INSERT TO panel DO INSTEAD NOTHING": "the rule spy",
    "CREATE INDEX spy ON panel (name)": "the index spy",
    "ALTER TABLE panel ADD CONSTRAINT spy CHECK (panel >= 0)": "the constraint spy",
    "ALTER TABLE panel ADD COLUMN spy float8 GENERATED ALWAYS AS (dx * 2) STORED": "column spy",
    "ALTER TABLE panel ALTER COLUMN name SET DEFAULT ''": "the column name has a",
    "CREATE TABLE spy () INHERITS (panel)": "inherits",
    "ALTER TABLE panel RENAME TO kept;; CREATE VIEW panel AS SELECT * FROM kept": "not an ordinary",
    "ALTER TABLE application SET UNLOGGED": "not an ordinary",
}


def test_every_object_that_calib_did_not_make_is_named(place: str, store: Store) -> None:
    with Store.open(place) as opened:
        assert opened.log.audit().findings == ()
    database = Database(Location.parse(place), foreign_keys=False)
    try:
        for statements, expected in (POSTGRES if raw.is_postgres(place) else SQLITE).items():
            with database.reading() as connection:
                for statement in statements.split(";; "):
                    connection.exec_driver_sql(statement)
                found = [f"{one.table}: {one.problem}" for one in schema_findings(connection)]
                connection.get_transaction().rollback()  # type: ignore[union-attr]
                if not raw.is_postgres(place):
                    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
            assert any(expected in problem for problem in found), (statements, found)
    finally:
        database.close()
    with Store.open(place) as opened:
        assert opened.log.audit().findings == ()


def test_audit_and_check_report_an_added_index(place: str, store: Store) -> None:
    raw.execute(place, "CREATE INDEX spy ON panel (name)")
    (finding,) = store.log.audit().findings
    assert (finding.table, finding.row) == ("panel", "schema")
    checks = {check.name: check for check in maintenance.check(Location.parse(place))}
    assert not checks["schema"].fine
    assert "panel: the index spy was not made by calib" in checks["schema"].finding


REPLACED = (
    "INSERT OR REPLACE INTO detector SELECT position, serial, layout, layout_id, 'UTC', 'x' "
    "FROM detector",
    "INSERT OR REPLACE INTO detector VALUES (99, '24-0107', '', '', '', '')",
    "INSERT OR REPLACE INTO entry SELECT 99, chain, ordinal, kind, command, reason, contents, "
    "salt, previous, hash FROM entry",
    "INSERT OR IGNORE INTO detector SELECT * FROM detector",
)
OTHER_TYPES = (
    "INSERT INTO withdrawal VALUES (1, 'one', 'hidden')",
    "INSERT INTO store_rule VALUES (99, x'41', 'no')",
    "INSERT INTO deed VALUES (99, 1.5, 'eve', '')",
)


def test_rows_of_a_file_cannot_be_replaced_nor_have_values_of_other_types(
    tmp_path: Path,
) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place)
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    before = raw.everything(place)
    for statement in REPLACED:
        with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
            raw.execute(place, statement)
    for statement in OTHER_TYPES:
        with pytest.raises(sqlite3.IntegrityError, match="not of the type of its column"):
            raw.execute(place, statement)
    assert raw.everything(place) == before


ALTERED = {
    "ALTER TABLE entry ALTER COLUMN ordinal TYPE text": "the definition of the column ordinal",
    "ALTER TABLE certification DROP COLUMN gap_mm": "the column gap_mm is missing",
    "DROP TABLE application CASCADE": "the table is missing",
}


@pytest.mark.postgres
@pytest.mark.parametrize("change", ALTERED)
def test_tables_that_were_altered_are_named_although_their_rows_cannot_be_read(
    fresh_postgres_url: str, change: str
) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))
        raw.execute(fresh_postgres_url, change)
        problems = [one.problem for one in store.log.audit().findings]
        assert any(problem.startswith(ALTERED[change]) for problem in problems), problems
        for read in (
            lambda: store.log.heads(),
            lambda: store.certifications.list(SERIAL),
            lambda: store.applications.list(SERIAL, None),
        ):
            with suppress(IntegrityError):
                read()
    checks = maintenance.check(fresh_postgres_url)
    assert not all(check.fine for check in checks)
