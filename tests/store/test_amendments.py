"""Amendments: changes and retirements of detectors, and calibrations under another serial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from calib.errors import CalibError, InputError, IntegrityError
from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement, retirement_in_force
from calib.model.store.bundle import Bundle
from calib.model.store.record import CalibrationRecord, DetectorRecord, State, StoredCalibration
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.filled import fill_every_table
from support.records import (
    DAY,
    NOON,
    SERIAL,
    calibration,
    certification,
    detector,
    provenance,
    stamp,
)

RIGHT = "24-0170"


def edit(start: datetime | None = None, **values: str) -> DetectorEdit:
    named = {"time_zone": None, "description": None, "layout_name": None, **values}
    return DetectorEdit(0, SERIAL, start, reason="mended", recorded=stamp(), **named)


def retirement(start: datetime | None = NOON) -> Retirement:
    return Retirement(0, SERIAL, start, "replaced", stamp())


def relabelled(wrong: StoredCalibration) -> tuple[CalibrationRecord, Relabelling]:
    record = replace(wrong.record, serial=RIGHT)
    return record, Relabelling(0, wrong.id, record.id, RIGHT, "mistyped", stamp())


def test_a_change_is_read_back_as_recorded_and_applies_to_the_detector(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    first = store.detectors.edit(edit(time_zone="Europe/Paris", layout_name="P"), stamp())
    second = store.detectors.edit(edit(NOON, time_zone="Asia/Tokyo"), stamp(actor="bob"))
    assert store.detectors.edits(SERIAL) == [second, first]
    assert store.detectors.edits(SERIAL, first.number) == [first]
    found = store.detectors.get(SERIAL)
    assert (found.time_zone, found.earlier_zones) == ("Asia/Tokyo", ((NOON, "Europe/Paris"),))
    assert (found.layout_name, found.description) == ("P", detector().description)
    assert [one.zones for one in store.detectors.list()] == [found.zones]
    entries = store.log.entries(SERIAL)[1:]
    assert [(one.kind, one.recorded.reason) for one in entries] == [("detector-edit", "mended")] * 2
    assert store.log.audit().findings == ()


def test_a_change_without_a_start_replaces_the_earlier_ones(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    store.detectors.edit(edit(NOON, time_zone="Asia/Tokyo", description="moved"), stamp())
    assert store.detectors.preview_edit(edit(time_zone="UTC")).earlier_zones == ()
    store.detectors.edit(edit(time_zone="UTC"), stamp())
    found = store.detectors.get(SERIAL)
    assert (found.time_zone, found.earlier_zones, found.description) == ("UTC", (), "moved")


def test_the_last_retirement_holds_and_can_be_taken_back(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    first = store.detectors.retire(retirement(), stamp())
    later = store.detectors.retire(retirement(NOON + DAY), stamp())
    back = store.detectors.retire(retirement(None), stamp())
    assert store.detectors.retirements(SERIAL) == [back, later, first]
    assert retirement_in_force(store.detectors.retirements(SERIAL)) is None
    known = store.detectors.retirements(SERIAL, later.number)
    assert retirement_in_force(known) == later
    assert store.log.audit().findings == ()


def test_an_amendment_needs_a_reason_and_a_value() -> None:
    with pytest.raises(InputError, match="no new value"):
        edit()
    for make in (
        lambda: replace(edit(time_zone="UTC"), reason=" "),
        lambda: replace(retirement(), reason=""),
        lambda: replace(retirement(None), reason=""),
    ):
        with pytest.raises(InputError) as caught:
            make()
        assert caught.value.code == "no-reason"


def test_a_relabelled_calibration_is_withdrawn_and_recorded_again(
    store: Store, stored: StoredCalibration
) -> None:
    store.certifications.certify(certification(stored))
    record, relabelling = relabelled(stored)
    again = replace(certification(stored), serial=RIGHT, calibration_id=record.id)
    done, withdrawn, certified = store.calibrations.relabel(
        relabelling,
        record,
        stamp(),
        detector(RIGHT),
        provenance=replace(provenance(), parent=stored.id),
        certify=[again],
    )
    right = store.calibrations.get(f"{RIGHT}:1")
    assert right.id == record.id == done.replacement_id != stored.id
    assert right.starts == stored.starts
    assert right.record.panels_id == stored.record.panels_id
    kept = store.calibrations.provenance(right.id)
    assert kept is not None
    assert kept.parent == stored.id
    assert (right.state, store.calibrations.get(stored.id).state) == (
        State.CERTIFIED,
        State.WITHDRAWN,
    )
    assert [one.serial for one in (*withdrawn, *certified)] == [SERIAL, RIGHT]
    assert store.calibrations.relabellings(SERIAL) == [done]
    assert store.calibrations.relabellings(SERIAL, done.number - 1) == []
    assert store.calibrations.relabellings(RIGHT) == []
    assert store.resolve(RIGHT, NOON, 150.0).calibration.id == record.id
    assert store.log.audit().findings == ()


def test_a_calibration_with_a_wrong_serial_is_not_certified_or_relabelled_again(
    store: Store, stored: StoredCalibration
) -> None:
    record, relabelling = relabelled(stored)
    before = store.log.moment().position
    _, withdrawn, certified = store.calibrations.relabel(
        relabelling, record, stamp(), detector(RIGHT)
    )
    assert (withdrawn, certified) == ([], [])
    assert store.calibrations.get(stored.id).state is State.WITHDRAWN
    assert store.calibrations.get(stored.id, known_at=before).state is State.ACCEPTED
    position = store.log.moment().position
    for act in (
        lambda: store.certifications.certify(certification(stored)),
        lambda: store.calibrations.relabel(relabelling, record, stamp()),
        lambda: store.calibrations.refuse_relabelled(stored.id, stored.name),
    ):
        with pytest.raises(InputError, match=f"recorded again as {RIGHT}:1"):
            act()
    assert store.log.moment().position == position


def test_a_relabelling_that_fails_records_nothing(store: Store, stored: StoredCalibration) -> None:
    """The certification under the right serial would replace another one."""
    store.certifications.certify(certification(stored))
    store.detectors.add(detector(RIGHT), stamp())
    other, _ = store.calibrations.add(calibration(RIGHT, seed=5), (NOON, None), stamp())
    store.certifications.certify(certification(other))
    record, relabelling = relabelled(stored)
    again = replace(certification(stored), serial=RIGHT, calibration_id=record.id)
    before = store.log.moment()
    with pytest.raises(InputError) as caught:
        store.calibrations.relabel(relabelling, record, stamp(), certify=[again])
    assert caught.value.code == "overlap"
    assert store.log.moment() == before
    assert store.calibrations.get(stored.id).state is State.CERTIFIED
    done = store.calibrations.relabel(relabelling, record, stamp(), certify=[again], supersede=True)
    assert done[2][0].version == 2


CHANGES = (
    ("UPDATE detector_edit SET time_zone = 'UTC'", "changed-detector-edit"),
    ("UPDATE detector_edit SET holds_from = NULL", "changed-detector-edit"),
    ("DELETE FROM detector_edit", "changed-detector-edit"),
    ("UPDATE detector SET time_zone = 'UTC'", "changed-detector"),
    ("UPDATE entry SET reason = 'x' WHERE position = 1", "changed-detector"),
    ("DELETE FROM entry WHERE position = 1", "changed-detector"),
    ("UPDATE retirement SET retired_from = NULL", "changed-retirement"),
    ("DELETE FROM retirement", "changed-retirement"),
    ("UPDATE relabelling SET serial = 'other'", "changed-relabelling"),
    ("DELETE FROM relabelling", "changed-relabelling"),
    ("UPDATE anchored_checkpoint SET content = '{ }'", "changed-checkpoint"),
    ("DELETE FROM anchored_checkpoint", "changed-checkpoint"),
)


def read(store: Store) -> None:
    store.detectors.get(SERIAL)
    store.detectors.retirements(SERIAL)
    store.calibrations.relabellings(SERIAL)
    store.log.checkpoints()


@pytest.fixture
def filled(copy_of: Callable[[Fill], str]) -> str:
    """A store with a row in every table."""
    return copy_of(fill_every_table)


def test_changed_amendments_are_refused_when_read(filled: str) -> None:
    change = raw.tamper if raw.is_postgres(filled) else raw.execute
    if not raw.is_postgres(filled):  # once for all, since each change takes its time
        triggers = raw.execute(filled, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
        with raw.connection(filled) as opened:
            opened.execute("BEGIN")
            for (name,) in triggers:
                opened.execute(f"DROP TRIGGER {name}")
            opened.execute("COMMIT")
    with Store.open(filled) as store:
        read(store)
        for statement, code in CHANGES:
            table = statement.split()[2 if statement.startswith("DELETE") else 1]
            before = raw.rows(filled, table)
            change(filled, statement)
            with pytest.raises(IntegrityError) as caught:
                read(store)
            assert caught.value.code == code, statement
            if raw.rows(filled, table):
                change(filled, f"DELETE FROM {table}")
            raw.insert_rows(filled, table, before)
        read(store)


def test_a_bundle_carries_amendments_as_history(filled: str, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        bundle = store.bundles.export(SERIAL)
        changed = store.detectors.get(SERIAL)
    place = str(tmp_path / "elsewhere.sqlite")
    Store.create(place)
    with Store.open(place) as elsewhere:
        load_as_history(elsewhere, bundle, changed)


def load_as_history(elsewhere: Store, bundle: Bundle, changed: DetectorRecord) -> None:
    elsewhere.bundles.load(bundle, stamp())
    kinds = [one.bundled.entry.kind for one in elsewhere.bundles.origins(serial=SERIAL)]
    assert {"detector-edit", "retirement", "relabelling"} <= set(kinds)
    # Registered there as it is described now; the rest has no effect there.
    found = elsewhere.detectors.get(SERIAL)
    assert (found.time_zone, found.description) == (changed.time_zone, changed.description)
    assert elsewhere.detectors.edits(SERIAL) == []
    assert elsewhere.detectors.retirements(SERIAL) == []
    with pytest.raises(CalibError):
        elsewhere.calibrations.get("24-0170:1")
    assert elsewhere.log.audit().findings == ()
