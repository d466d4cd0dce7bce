"""An audit finds random tampering of every kind and names table and row."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.store.database.database import Database
from calib.store.maintenance.audit import audit_store
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.filled import fill_every_table
from support.records import NOON, SERIAL, application, calibration, certification, detector, stamp
from support.tampering import Tamperer, bypass

LONG = os.environ.get("CALIB_TEST_PROFILE") == "long"
TAMPERINGS = 1500 if LONG else 40
OTHER = "24-0108"


def fill(place: str) -> None:
    """Make a store of two detectors, with rows in every table and several in most."""
    fill_every_table(place)
    with Store.open(place) as store:
        store.detectors.add(detector(OTHER), stamp())
        for seed in (1, 2):
            for serial in (OTHER, SERIAL):
                record = calibration(serial, seed=seed)
                stored, _ = store.calibrations.add(record, (NOON, None), stamp())
                store.certifications.certify(certification(stored), supersede=True)
                store.applications.record(application(stored, f"{serial}-{seed}.expt"))


@pytest.fixture
def filled(copy_of: Callable[[Fill], str]) -> str:
    """Two detectors, with rows in every table and several in most."""
    return copy_of(fill)


def test_every_tampering_is_found_and_named(filled: str) -> None:
    with Store.open(filled) as store:
        checkpoint = store.log.heads()
        assert store.log.audit(checkpoint).findings == ()
    for table in raw.TABLES:
        assert raw.rows(filled, table), f"nothing of {table} can be tampered with"
    database = Database(Location.parse(filled), foreign_keys=False)
    rng = random.Random(20260301)  # noqa: S311
    missed, done, kinds = [], 0, set()
    try:
        while done < TAMPERINGS:
            with database.reading() as connection:
                bypass(connection)
                try:
                    tampering = Tamperer(connection, rng).tamper()
                except DBAPIError:  # refused by a key or a type even for the owner
                    connection.get_transaction().rollback()  # type: ignore[union-attr]
                    continue
                findings = audit_store(connection, checkpoint).findings
                named = [f for f in findings if f.table in tampering.tables]
                if not any(finding.row in tampering.rows for finding in named):
                    missed.append((tampering.words, [(f.table, f.row) for f in findings]))
                connection.get_transaction().rollback()  # type: ignore[union-attr]
            done += 1
            kinds.add(tampering.words.partition(" ")[0])
    finally:
        database.close()
    assert not missed, f"{len(missed)} of {done}: {missed[:5]}"
    assert len(kinds) > 10
    with Store.open(filled) as store:
        assert store.log.audit(checkpoint).findings == ()
