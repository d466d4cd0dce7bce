"""What decides an answer is verified against the log each time it is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calib.errors import IntegrityError
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.resolution import DistancePolicy
from calib.model.store.rule import DEMAND_ACTOR, Rule
from calib.store.store import Store
from support import raw
from support.records import NOON, SERIAL, calibration, certification, detector, stamp

CHANGES = (
    ("UPDATE certification SET distance_max_mm = 9000.0 WHERE position = 4", "row was changed"),
    ("UPDATE certification SET reason = 'other' WHERE position = 4", "row was changed"),
    ("UPDATE certification SET gap_mm = 500.0 WHERE position = 4", "row was changed"),
    ("UPDATE entry SET reason = 'other' WHERE position = 4", "entry in the log was changed"),
    ("DELETE FROM entry WHERE position = 4", "no entry of certification 4"),
    ("UPDATE certification SET valid_to = valid_from WHERE position = 4", "row was changed"),
    ("DELETE FROM certification WHERE position = 4", "row was deleted"),
    ("DELETE FROM withdrawal", "row was deleted"),
    ("UPDATE withdrawal SET certification = 4 WHERE certification = 3", "row was changed"),
    ("INSERT INTO withdrawal VALUES (4, 6, 'hidden')", "no entry in the log"),
)


@pytest.fixture
def answering(place: str, store: Store) -> str:
    """Three certifications: 2, 3 (withdrawn by 5), and 4, which applies. 6 is a placement."""
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    for gap_mm in (0.0, 1.0, 2.0):
        store.certifications.certify(replace(certification(stored), gap_mm=gap_mm), supersede=True)
    store.certifications.withdraw(3, "an error", stamp())
    store.placements.place(BeamlinePlacement(0, SERIAL, "I04", NOON, "", stamp()), stamp())
    store.rules.set(Rule(0, DEMAND_ACTOR, "yes", stamp()))
    return place


def without_the_error(store: Store) -> None:
    assert store.resolve(SERIAL, NOON + timedelta(hours=1), 150.0).certification.number == 4


def test_an_answer_from_changed_rows_is_refused(answering: str, store: Store) -> None:
    """Also by a store that has answered before, and verified what it found."""
    without_the_error(store)
    for statement, problem in CHANGES:
        table = statement.split()[2 if statement.startswith(("DELETE", "INSERT")) else 1]
        before = raw.rows(answering, table)
        raw.tamper(answering, statement)
        with Store.open(answering) as other:
            for opened in (store, other):
                with pytest.raises(IntegrityError, match=problem):
                    opened.resolve(SERIAL, NOON + timedelta(hours=1), 150.0)
                with pytest.raises(IntegrityError, match=r"changed|deleted|no entry"):
                    opened.certifications.list(SERIAL)
        if raw.rows(answering, table):
            raw.tamper(answering, f"DELETE FROM {table}")
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(before[0]))})"
        for row in before:
            raw.tamper(answering, insert, *row)
        without_the_error(store)


def test_an_answer_that_no_certification_gives_is_verified_as_well(
    answering: str, store: Store
) -> None:
    raw.tamper(answering, "UPDATE certification SET distance_max_mm = 101.0 WHERE position = 2")
    raw.tamper(answering, "UPDATE certification SET distance_max_mm = 101.0 WHERE position = 4")
    with pytest.raises(IntegrityError, match="row was changed"):
        store.resolve(SERIAL, NOON + timedelta(hours=1), 150.0)
    with pytest.raises(IntegrityError, match="row was changed"):
        store.resolve(
            SERIAL,
            NOON + timedelta(hours=1),
            150.0,
            distance_policy=DistancePolicy.NEAREST,
        )


def test_changed_placements_and_rules_are_refused(answering: str, store: Store) -> None:
    raw.tamper(answering, "UPDATE placement SET beamline = 'I05'")
    with pytest.raises(IntegrityError) as caught:
        store.placements.list(SERIAL)
    assert caught.value.code == "changed-placement"
    raw.tamper(answering, "DELETE FROM store_rule")
    with pytest.raises(IntegrityError) as caught:
        store.rules.list()
    assert caught.value.code == "changed-rule"
