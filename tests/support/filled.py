"""A store with rows in every table, for what must lose none of them."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

from calib.config.location import Location
from calib.model.store.bundle import Bundle
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.rule import DEMAND_ACTOR, Rule
from calib.store.database.database import Database
from calib.store.log.log import recording
from calib.store.log.written import insert_rows
from calib.store.schema.tables import SUMMARY_CONTENT
from calib.store.store import Store
from support.records import (
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
    """Make a store, and in it one of everything that can be recorded."""
    Store.create(place)
    with Store.open(place) as store:
        record, files = with_summaries(calibration())
        stored, _ = store.calibrations.add(
            record, (NOON, None), stamp(), detector(), files, provenance()
        )
        word = store.certifications.certify(certification(stored))
        store.certifications.certify(certification(stored))
        store.certifications.withdraw(word.number, "an error", stamp())
        store.applications.record(application(stored))
        store.placements.place(BeamlinePlacement(0, SERIAL, "I04", NOON, "", stamp()), stamp())
        store.rules.set(Rule(0, DEMAND_ACTOR, "yes", stamp()))
        store.bundles.load(elsewhere(), stamp())


def fill_every_table(place: str) -> None:
    """The same, with a row in the table of summary contents as well."""
    fill(place)
    add_summary_content(place)


def add_summary_content(place: str) -> None:
    """Record the bytes of the calibration's first summary under the name of a format."""
    _, files = with_summaries(calibration())
    file = next(file for file in files if file is not None)
    database = Database(Location.parse(place))
    try:
        with (
            database.writing() as connection,
            recording(connection, stamp(), "summary", SERIAL) as (position, _),
        ):
            row = {
                "summary": file.id,
                "format": "calib/summary/1",
                "position": position,
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "content": file.content,
            }
            insert_rows(connection, SUMMARY_CONTENT, [row])
    finally:
        database.close()


@cache
def elsewhere() -> Bundle:
    """What another store says of the same calibration."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "elsewhere.sqlite")
        Store.create(place)
        with Store.open(place) as store:
            record, files = with_summaries(calibration())
            stored, _ = store.calibrations.add(record, (NOON, None), stamp(), detector(), files)
            store.certifications.certify(certification(stored))
            return store.bundles.export(SERIAL)
