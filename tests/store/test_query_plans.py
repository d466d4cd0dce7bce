"""What is asked for each file, and every write, finds its rows by an index, however many there are.

The statements are those that the store really runs, taken on their way to the driver.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from calib.model.base.canonical import microseconds
from calib.store.schema.tables import METADATA
from calib.store.store import Store
from support.records import (
    DAY,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    detector,
    stamp,
)
from support.statements import taken_from

LARGE_TABLES = sorted(set(METADATA.tables) - {"detector"})
"""Tables that grow with use; a facility has some hundreds of detectors."""


def plan(store: Store, statement: str, values: Any) -> list[str]:
    """The lines of the statement's plan; none where it is no question and puts in no rows."""
    if statement.lstrip().partition(" ")[0].upper() not in ("SELECT", "INSERT", "WITH"):
        return []
    with store._database.reading() as connection:
        if store._database.is_sqlite:
            if isinstance(values, dict):
                values = {
                    k: microseconds(v) if isinstance(v, datetime) else v for k, v in values.items()
                }
            lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return [str(row[3]) for row in lines]
        # A handful of rows is read fastest from end to end: what would be done with millions?
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]


def scans(store: Store, statement: str, values: Any) -> list[str]:
    """The lines of the statement's plan that read a growing table from end to end."""
    lines = plan(store, statement, values)
    if not store._database.is_sqlite:
        return [
            line for line in lines if any(f"Seq Scan on {table} " in line for table in LARGE_TABLES)
        ]
    if statement.rstrip().endswith("LIMIT ? OFFSET ?") and "WHERE" not in statement:
        # The first row of an index, unless all are sorted for it.
        return [line for line in lines if "TEMP B-TREE" in line]
    return [line for line in lines if line.startswith("SCAN") and " USING " not in line]


@pytest.fixture
def used(store: Store) -> Store:
    """A store with something in it."""
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    store.certifications.certify(certification(stored))
    store.applications.record(application(stored))
    return store


def test_lookups_and_writes_use_indexes(used: Store) -> None:
    name = used.calibrations.get(f"{SERIAL}:1").id
    position = used.log.moment().position
    with taken_from(used) as taken:
        used.resolve(SERIAL, NOON, 150.0)
        used.resolve(SERIAL, NOON, 150.0, as_known_at=position)
        used.resolve(SERIAL, NOON, 150.0, as_known_at=NOON + DAY)
        used.applications.list(calibration_id=name)
        used.calibrations.get(name)
        stored, _ = used.calibrations.add(calibration(seed=1), (NOON, None), stamp())
        word = used.certifications.certify(certification(stored, NOON + DAY))
        used.certifications.withdraw(word.number, "an error", stamp())
        used.applications.record(application(stored, "other.expt"))
    assert len(taken) > 20
    assert sum("FROM panel" in statement for statement, _ in taken) >= 4
    found = [
        (line, statement) for statement, values in taken for line in scans(used, statement, values)
    ]
    assert not found


def test_a_lookup_reads_only_the_certifications_of_its_detector(used: Store) -> None:
    with taken_from(used) as taken:
        used.resolve(SERIAL, NOON, 150.0)
    ((statement, values),) = [one for one in taken if "JOIN calibration k" in one[0]]
    lines = plan(used, statement, values)
    assert any("ix_certification_answers" in line for line in lines), lines


def test_the_newest_calibrations_are_listed_without_reading_all(used: Store) -> None:
    with taken_from(used) as taken:
        assert len(used.calibrations.list(limit=10)) == 1
    assert sum("FROM panel" in statement for statement, _ in taken) == 1
    found = [
        (line, statement) for statement, values in taken for line in scans(used, statement, values)
    ]
    assert not found
