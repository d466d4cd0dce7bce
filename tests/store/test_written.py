"""What a change wrote is what was meant, whatever somebody added to the database."""

from __future__ import annotations

import pytest

from calib.errors import IntegrityError
from calib.store.store import Store
from support import raw
from support.records import DAY, NOON, calibration, certification, detector, stamp

SQLITE = {
    "a changed value": (
        "DROP TRIGGER certification_no_update",
        "CREATE TRIGGER widen AFTER INSERT ON certification BEGIN "
        "UPDATE certification SET distance_max_mm = 9999.0 WHERE position = NEW.position; END",
    ),
    "a dropped row": (
        "CREATE TRIGGER widen BEFORE INSERT ON certification BEGIN SELECT RAISE(IGNORE); END",
    ),
    "a further row": (
        "CREATE TRIGGER widen AFTER INSERT ON certification BEGIN "
        "INSERT INTO withdrawal VALUES (NEW.position, NEW.position, 'hidden'); END",
    ),
    "a further row after the entry": (
        "CREATE TRIGGER widen AFTER INSERT ON entry BEGIN "
        "INSERT INTO store_rule VALUES (NEW.position, 'demand-actor', 'no'); END",
    ),
    "another actor": (
        "DROP TRIGGER deed_no_update",
        "CREATE TRIGGER widen AFTER INSERT ON entry BEGIN "
        "UPDATE deed SET actor = 'eve' WHERE position = NEW.position; END",
    ),
}
_FUNCTION = "CREATE FUNCTION widen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"
_FIRED = "CREATE {} TRIGGER widen {} INSERT ON {} {} FOR EACH ROW EXECUTE FUNCTION widen()"
POSTGRES = {
    "a changed value": (
        _FUNCTION.format("NEW.distance_max_mm = 9999.0; RETURN NEW;"),
        _FIRED.format("", "BEFORE", "certification", ""),
    ),
    "a dropped row": ("CREATE RULE widen AS ON INSERT TO certification DO INSTEAD NOTHING",),
    "a further row": (
        _FUNCTION.format(
            "INSERT INTO withdrawal VALUES (NEW.position, NEW.position, 'hidden'); RETURN NEW;"
        ),
        _FIRED.format("", "AFTER", "certification", ""),
    ),
    "a further row at the commit": (
        _FUNCTION.format(
            "INSERT INTO withdrawal VALUES (NEW.position, NEW.position, 'hidden'); RETURN NEW;"
        ),
        _FIRED.format("CONSTRAINT", "AFTER", "certification", "DEFERRABLE INITIALLY DEFERRED"),
    ),
    "another actor": (
        _FUNCTION.format("NEW.actor = 'eve'; RETURN NEW;"),
        _FIRED.format("", "BEFORE", "deed", ""),
    ),
}


def undo(place: str, case: str) -> None:
    """Remove what the case added."""
    if raw.is_postgres(place):
        rule = case == "a dropped row"
        raw.execute(
            place, "DROP RULE widen ON certification" if rule else "DROP FUNCTION widen() CASCADE"
        )
        return
    raw.execute(place, "DROP TRIGGER widen")
    for statement in SQLITE[case]:
        if statement.startswith("DROP TRIGGER"):
            name = statement.split()[-1]
            table = name.removesuffix("_no_update")
            raw.execute(
                place,
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END",
            )


def test_a_change_that_the_database_writes_differently_is_undone_and_named(
    place: str, store: Store
) -> None:
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    before = raw.everything(place)
    for case, statements in (POSTGRES if raw.is_postgres(place) else SQLITE).items():
        for statement in statements:
            raw.execute(place, statement)
        with pytest.raises(IntegrityError) as caught:
            store.certifications.certify(certification(stored))
        assert caught.value.code == "written-differently", case
        found = {finding.problem for finding in store.log.audit().findings}
        assert any("widen was not made by calib" in problem for problem in found), case
        undo(place, case)
        assert raw.everything(place) == before, case
    store.certifications.certify(certification(stored))
    assert store.log.audit().findings == ()


REFUSING = {
    "a trigger": "CREATE TRIGGER widen AFTER INSERT ON certification BEGIN "
    "UPDATE certification SET distance_max_mm = 9999.0 WHERE position = NEW.position; END",
    "a trigger of another table": "CREATE TRIGGER widen AFTER INSERT ON entry BEGIN "
    "SELECT RAISE(ROLLBACK, 'no more'); END",
    "an index": "CREATE UNIQUE INDEX widen ON certification (detector)",
}
REFUSING_SERVER = {
    "a trigger": "UPDATE certification SET distance_max_mm = 9999.0; RETURN NEW;",
    "a trigger of another table": "RAISE EXCEPTION 'no more';",
    "an index": "",
}


@pytest.mark.parametrize("case", REFUSING)
def test_a_change_that_the_database_refuses_is_a_clear_error(
    store: Store, place: str, case: str
) -> None:
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    store.certifications.certify(certification(stored, NOON, NOON + DAY))
    before = store.log.moment()
    if raw.is_postgres(place) and REFUSING_SERVER[case]:
        table = "entry" if "other" in case else "certification"
        raw.execute(place, _FUNCTION.format(REFUSING_SERVER[case]))
        raw.execute(place, _FIRED.format("", "AFTER", table, ""))
    else:
        raw.execute(place, REFUSING[case])
    with pytest.raises(IntegrityError) as caught:
        store.certifications.certify(certification(stored, NOON + DAY, None))
    assert (caught.value.code, caught.value.exit_code) == ("write-refused", 3)
    assert store.log.moment() == before
    (found,) = {one.table for one in store.log.audit().findings}
    assert found == ("entry" if "other" in case else "certification")
