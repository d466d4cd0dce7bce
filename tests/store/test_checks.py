"""`calib db check` finds and names what is wrong with a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.config.location import Location
from calib.errors import InputError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.schema import revision
from calib.store.store import Store
from support import raw
from support.records import NOON, calibration, detector, stamp


def wrong(place: str) -> dict[str, str]:
    """The failed checks, by name."""
    checks = maintenance.check(place)
    assert all(check.fine != bool(check.remedy) for check in checks)
    return {check.name: check.finding for check in checks if not check.fine}


def test_a_new_store_passes_all_checks(place: str) -> None:
    assert wrong(place) == {}
    names = [check.name for check in maintenance.check(place)]
    assert names[0] == "revision"
    assert {"tables", "triggers"} < set(names)


@pytest.mark.parametrize("table", raw.TABLES)
def test_a_missing_trigger_is_reported(place: str, table: str) -> None:
    if raw.is_postgres(place):
        raw.execute(place, f"DROP TRIGGER append_only ON {table}")
    else:
        raw.execute(place, f"DROP TRIGGER {table}_no_delete")
    assert wrong(place) == {
        "triggers": f"the triggers that protect rows of {table} from changes are missing."
    }


def test_a_disabled_or_empty_trigger_is_reported(place: str) -> None:
    if raw.is_postgres(place):
        raw.execute(place, "ALTER TABLE panel DISABLE TRIGGER append_only")
        assert "rows of panel" in wrong(place)["triggers"]
        raw.execute(place, "ALTER TABLE panel ENABLE TRIGGER append_only")
        assert wrong(place) == {}
        raw.execute(
            place,
            "CREATE OR REPLACE FUNCTION calib_append_only() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN RETURN NULL; END $$",
        )
        assert "application, artifact, " in wrong(place)["triggers"]
        return
    raw.execute(place, "DROP TRIGGER panel_no_update")
    raw.execute(place, "CREATE TRIGGER panel_no_update BEFORE UPDATE ON panel BEGIN SELECT 1; END")
    assert "rows of panel" in wrong(place)["triggers"]


def test_changed_tables_are_reported(place: str) -> None:
    raw.execute(place, "ALTER TABLE detector ADD COLUMN colour TEXT")
    raw.execute(place, "DROP INDEX ix_application_calibration")
    found = wrong(place)
    assert set(found) == {"tables", "schema"}
    assert (
        found["tables"] == "they differ from what the migrations made (add index, remove column)."
    )
    assert "detector: " in found["schema"]


def test_the_check_of_an_older_store_suggests_the_upgrade(place: str) -> None:
    database = Database(Location.parse(place), foreign_keys=False)
    revision.migrate(database, "0003")
    database.close()
    assert list(wrong(place)) == ["revision"]
    assert maintenance.check(place)[0].remedy.startswith("calib db upgrade --store ")


def test_dangling_references_are_reported(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place)
    with Store.open(place) as store:
        store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    raw.tamper(place, "DELETE FROM detector")
    assert "calibration to detector" in wrong(place)["file"]


def test_checking_or_backing_up_a_missing_store_is_refused(empty_place: str) -> None:
    for use in (maintenance.check, lambda place: maintenance.back_up(place, Path("b.sqlite"))):
        with pytest.raises(InputError) as caught:
            use(empty_place)
        assert caught.value.code == "no-store"
    assert not Path("b.sqlite").exists()
    assert maintenance.revision(empty_place).revision is None


def test_a_changed_row_is_reported(place: str) -> None:
    with Store.open(place) as store:
        store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    raw.tamper(place, "UPDATE detector SET description = 'another one'")
    assert list(wrong(place)) == ["log"]
    assert " differences between the store and its log; the first: " in wrong(place)["log"]
