"""A store with rows in every table, for what must lose none of them."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

from calib.config.location import Location
from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement
from calib.model.store.bundle import Bundle
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.rule import DEMAND_ACTOR, Rule
from calib.model.store.shared_layout import SharedLayout
from calib.model.store.signing import RecordedCheckpoint
from calib.store.database.database import Database
from calib.store.log.log import recording
from calib.store.log.written import insert_rows
from calib.store.records import relabellings
from calib.store.schema.tables import SUMMARY_CONTENT
from calib.store.store import Store
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
from support.simulated import LAMBDA


def fill(place: str) -> None:
    """Make a store, and in it one of everything that can be recorded."""
    Store.create(place)
    with Store.open(place) as store:
        record, files = with_summaries(calibration())
        stored, _ = store.calibrations.add(
            record, (NOON, None), stamp(), detector(), files, provenance()
        )
        word = store.certifications.certify(certification(stored))
        store.certifications.certify(certification(stored, NOON + HOUR))
        store.certifications.withdraw(word.number, "an error", stamp())
        store.applications.record(application(stored))
        store.placements.place(BeamlinePlacement(0, SERIAL, "I04", NOON, "", stamp()), stamp())
        store.rules.set(Rule(0, DEMAND_ACTOR, "yes", stamp()))
        store.bundles.load(elsewhere(), stamp())


def fill_every_table(place: str) -> None:
    """The same, with a row in the tables of summary contents and of amendments as well."""
    fill(place)
    add_summary_content(place)
    add_amendments(place)


def add_amendments(place: str) -> None:
    """Record one of everything that mends what was recorded before, a checkpoint and a layout."""
    with Store.open(place) as store:
        edit = DetectorEdit(0, SERIAL, NOON, "Europe/London", "spare", None, "moved", stamp())
        store.detectors.edit(edit, stamp())
        store.detectors.retire(Retirement(0, SERIAL, NOON, "replaced", stamp()), stamp())
        stored = store.calibrations.get(f"{SERIAL}:1")
        relabelling = Relabelling(0, stored.id, "ab" * 32, "24-0170", "mistyped", stamp())
        database = Database(Location.parse(place))
        try:
            with database.writing() as connection:
                relabellings.add_relabelling(connection, relabelling, stamp())
        finally:
            database.close()
        checkpoint = RecordedCheckpoint(0, "cd" * 32, NOON, 7, "{}", stamp())
        store.log.add_checkpoint(checkpoint, stamp())
        store.layouts.add(SharedLayout(0, "lambda", LAMBDA, "new", stamp()), stamp())


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
