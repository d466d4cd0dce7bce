"""An entry of the log is bound to its rows and to the chain of their detector."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from calib.config.location import Location
from calib.errors import FileFormatError, IntegrityError
from calib.model.store.log import entry_id
from calib.store.database.database import Database
from calib.store.log.log import recording
from calib.store.log.written import insert_rows
from calib.store.schema.tables import CERTIFICATION
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.records import NOON, SERIAL, calibration, certification, detector, stamp

OTHER = "24-0108"


def fill(place: str) -> None:
    """Make a store with a certified calibration of each of two detectors."""
    Store.create(place)
    with Store.open(place) as store:
        for serial in (SERIAL, OTHER):
            stored, _ = store.calibrations.add(
                calibration(serial), (NOON, None), stamp(), detector(serial)
            )
            store.certifications.certify(certification(stored))


@pytest.fixture
def two(copy_of: Callable[[Fill], str]) -> str:
    """A store with a certified calibration of each of two detectors."""
    return copy_of(fill)


@pytest.fixture
def writing(two: str) -> Iterator[Connection]:
    """A connection of the owner of the store."""
    database = Database(Location.parse(two))
    with database.writing() as connection:
        yield connection
    database.close()


def certify_in_the_chain_of(connection: Connection, chain: str) -> None:
    """Copy the certification of SERIAL, with an entry in another chain."""
    row = connection.execute(select(CERTIFICATION).where(CERTIFICATION.c.position == 2)).one()
    with recording(connection, stamp(), "certification", chain) as (position, _):
        insert_rows(connection, CERTIFICATION, [{**row._mapping, "position": position}])


def test_every_new_entry_is_bound_to_its_detector_and_the_keys_of_its_rows(two: str) -> None:
    found = raw.execute(two, "SELECT position, detector, keys FROM binding ORDER BY position")
    assert [(row[0], row[1]) for row in found] == [
        (1, SERIAL),
        (2, SERIAL),
        (3, OTHER),
        (4, OTHER),
    ]
    assert json.loads(found[1][2]) == {"certification": [[2]]}
    assert json.loads(found[0][2])["detector"] == [[1]]
    assert json.loads(found[0][2])["panel"][0] == [1, 0]


def test_a_certification_in_the_chain_of_another_detector_is_found(two: str) -> None:
    database = Database(Location.parse(two))
    with database.writing() as connection:
        certify_in_the_chain_of(connection, OTHER)
    database.close()
    with Store.open(two) as store:
        (finding,) = store.log.audit().findings
        assert (finding.table, finding.row) == ("certification", "position 5")
        assert f"concerns {SERIAL}, but its entry is in the chain of {OTHER}" in finding.problem
        with pytest.raises(IntegrityError, match="its entry is that of another change"):
            store.resolve(SERIAL, NOON, 150.0)
        with pytest.raises(IntegrityError) as caught:
            store.bundles.export(OTHER)
        assert caught.value.code == "other-detector"


def test_a_binding_to_other_rows_is_found_although_the_hashes_agree(two: str) -> None:
    """The binding and its entry are both rewritten, with the right hashes."""
    raw.tamper(two, "UPDATE binding SET keys = ? WHERE position = 4", '{"certification": [[2]]}')
    with Store.open(two) as store:
        found = {finding.table: finding.problem for finding in store.log.audit().findings}
    assert "bound to other rows" in found["binding"]


def test_an_entry_without_a_binding_is_found_after_the_first_with_one(two: str) -> None:
    with Store.open(two) as store:
        entry = store.log.entries()[-1]
    contents = {name: value for name, value in entry.contents.items() if name != "binding"}
    forged = replace(entry, contents=contents)
    raw.tamper(two, "DELETE FROM binding WHERE position = 4")
    raw.tamper(
        two,
        "UPDATE entry SET contents = ?, hash = ? WHERE position = 4",
        json.dumps(contents, sort_keys=True),
        entry_id(forged),
    )
    with Store.open(two) as store:
        (finding,) = store.log.audit().findings
    assert (finding.table, finding.row) == ("binding", "position 4")
    assert finding.problem == "the entry has no binding"


def test_a_bundle_with_an_entry_of_another_detector_is_refused(two: str, tmp_path: Path) -> None:
    with Store.open(two) as store:
        bundle = store.bundles.export(SERIAL)
    bundle.verify()
    (rows,) = (one for one in bundle.rows if (one.table, one.position) == ("binding", 2))
    assert rows.columns["detector"] == (SERIAL,)
    forged = replace(rows, columns={**rows.columns, "detector": (OTHER,)})
    others = tuple(one for one in bundle.rows if one is not rows)
    with pytest.raises(FileFormatError, match="position 2"):
        replace(bundle, rows=(*others, forged)).verify()
