"""Changes of stored rows are refused by the database, or found on reading."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from calib.errors import IntegrityError
from calib.model.detector.correction import PARAMETERS, Freedom
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.rule import DEMAND_ACTOR, Rule
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.filled import add_amendments, add_summary_content, elsewhere
from support.records import (
    HOUR,
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


def fill(place: str) -> None:
    """Make a store with a row in every table."""
    Store.create(place)
    with Store.open(place) as store:
        record, files = with_summaries(calibration())
        stored, _ = store.calibrations.add(
            record, (NOON, None), stamp(), detector(), files, provenance()
        )
        flat = calibration(seed=1, freedom=Freedom.IN_PLANE)
        store.calibrations.add(flat, (None, None), stamp())
        certified = store.certifications.certify(certification(stored, NOON + HOUR))
        store.certifications.certify(certification(stored))
        store.certifications.withdraw(certified.number, "an error", stamp())
        store.applications.record(application(stored))
        store.placements.place(BeamlinePlacement(0, SERIAL, "I04", NOON, "", stamp()), stamp())
        store.rules.set(Rule(0, DEMAND_ACTOR, "yes", stamp()))
        store.bundles.load(elsewhere(), stamp())
    add_summary_content(place)
    add_amendments(place)


@pytest.fixture
def filled(copy_of: Callable[[Fill], str]) -> str:
    """A store with a row in every table."""
    return copy_of(fill)


def read_everything(place: str) -> None:
    with Store.open(place) as store:
        for record in store.detectors.list():
            for line in store.calibrations.list(record.serial):
                store.summaries.read(store.calibrations.get(line.id))
            store.calibrations.corrections(record.serial)
            store.certifications.list(record.serial)
        store.applications.list()


def test_an_unchanged_store_can_be_read(filled: str) -> None:
    read_everything(filled)


@pytest.mark.parametrize("table", raw.TABLES)
def test_the_database_refuses_to_change_or_delete_a_row(filled: str, table: str) -> None:
    before = raw.rows(filled, table)
    assert before
    columns = {"panel": "name", "withdrawal": "reason", "calibration_dataset": "ordinal"}
    columns |= {"calibration_summary": "ordinal", "provenance": "parent"}
    column = columns.get(table, "position")
    with pytest.raises(Exception, match="only ever added"):
        raw.execute(filled, f"UPDATE {table} SET {column} = {column}")
    with pytest.raises(Exception, match="only ever added"):
        raw.execute(filled, f"DELETE FROM {table}")
    assert raw.rows(filled, table) == before


ONE = "WHERE calibration = 1 AND panel = 1"
CHANGES = [
    (f"UPDATE panel SET name = 'other' {ONE}", "its panel rows"),
    (f"UPDATE panel SET status = 'measured' {ONE}", "its panel rows"),
    (f"UPDATE panel SET n_reflections = n_reflections + 1 {ONE}", "its panel rows"),
    (f"UPDATE panel SET sigma_dx = NULL {ONE}", "its panel rows"),
    ("UPDATE panel SET sigma_dz = 0.1 WHERE calibration = 2 AND panel = 1", "its panel rows"),
    (f"DELETE FROM panel {ONE}", "its panel rows"),
    ("DELETE FROM panel WHERE calibration = 1 AND panel = 2", "its panel rows"),
    ("DELETE FROM panel WHERE calibration = 1", "its panel rows"),
    (f"UPDATE panel SET panel = 7 {ONE}", "its panel rows"),
    ("UPDATE calibration SET id = '{zeros}' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET layout_id = '{zeros}' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET distances_mm = '[150.0]' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET freedom = 'in-plane' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET panels_id = '{zeros}' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET covariance_sha256 = '{zeros}' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET parameters = '[]' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET code_version = '9' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET report_id = '{zeros}' WHERE position = 1", "its own row"),
    ("UPDATE calibration SET accepted = NOT accepted WHERE position = 1", "its own row"),
    ("UPDATE calibration SET reasons = '[]' WHERE position = 1", "its own row"),
    (
        "UPDATE calibration SET report = replace(report, '1000', '1001') WHERE position = 1",
        "its report",
    ),
    (
        "DELETE FROM artifact WHERE kind = 'covariance'",
        "its covariance .* is missing",
    ),
    (
        "UPDATE detector SET serial = 'other'",
        "detector at position 1 .* of other .* its row was changed",
    ),
    ("UPDATE detector SET layout = replace(layout, '0.172', '0.173')", "the layout of detector"),
    ("UPDATE application SET distance_mm = 265.2", "application .* does not match its receipt"),
    ("UPDATE application SET calibration = 2", "application .* does not match its receipt"),
]


@pytest.mark.parametrize(("statement", "found"), CHANGES)
def test_a_change_is_found_on_reading_and_named(filled: str, statement: str, found: str) -> None:
    raw.tamper(filled, statement.replace("{zeros}", "0" * 64))
    with pytest.raises(IntegrityError, match=found):
        read_everything(filled)


def test_the_error_names_the_changed_calibration(filled: str) -> None:
    raw.tamper(filled, f"UPDATE panel SET dx = dx + 1 {ONE}")
    with Store.open(filled) as store:
        name = store.calibrations.get(f"{SERIAL}:2").id  # the other one can still be read
        assert name == calibration(seed=1, freedom=Freedom.IN_PLANE).id
        asked: list[Callable[[], Any]] = [
            lambda: store.calibrations.get(f"{SERIAL}:1"),
            lambda: store.calibrations.corrections(SERIAL),
            lambda: store.resolve(SERIAL, NOON, 150.0),
        ]
        for ask in asked:
            with pytest.raises(IntegrityError, match=rf"calibration {SERIAL}:1 \([0-9a-f]{{12}}\)"):
                ask()


def test_a_single_bit_of_an_artifact_is_found(filled: str) -> None:
    covariances = "FROM artifact WHERE position = 1 AND kind = 'covariance'"
    ((name, content),) = raw.execute(filled, f"SELECT sha256, content {covariances}")
    changed = bytearray(content)
    changed[100] ^= 1
    raw.tamper(filled, "UPDATE artifact SET content = ? WHERE sha256 = ?", bytes(changed), name)
    with pytest.raises(IntegrityError, match=r"its covariance \(the artifact .* was changed"):
        read_everything(filled)


def test_the_last_bit_of_a_value_is_found(filled: str) -> None:
    columns = [*PARAMETERS, *(f"sigma_{name}" for name in PARAMETERS)]
    for index, column in enumerate(columns):
        where = f"WHERE calibration = 1 AND panel = {index % 3}"
        ((value,),) = raw.execute(filled, f"SELECT {column} FROM panel {where}")
        changed = math.nextafter(value, math.inf if index % 2 else -math.inf)
        raw.tamper(filled, f"UPDATE panel SET {column} = ? {where}", changed)
        with pytest.raises(IntegrityError, match="its panel rows"):
            read_everything(filled)
        raw.tamper(filled, f"UPDATE panel SET {column} = ? {where}", value)
    read_everything(filled)
