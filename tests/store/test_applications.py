"""Applications: a receipt is recorded once, whenever and however often it arrives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calib.errors import NotFoundError
from calib.model.store.record import StoredCalibration
from calib.store.store import Store
from support.records import HOUR, NOON, SERIAL, application, calibration, detector, stamp


def test_an_application_comes_back_as_its_receipt_says(
    store: Store, stored: StoredCalibration
) -> None:
    receipt = application(stored)
    timeless = replace(application(stored, "other.expt"), data_time=None, distance_mm=0.1 + 0.2)
    assert store.applications.record(receipt)
    assert store.applications.record(timeless)
    assert store.applications.list() == [receipt, timeless]
    assert [one.id for one in store.applications.list()] == [receipt.id, timeless.id]


def test_pushing_a_receipt_twice_records_it_once(store: Store, stored: StoredCalibration) -> None:
    receipt = application(stored)
    assert store.applications.record(receipt)
    assert not store.applications.record(receipt, stamp(NOON + 9 * HOUR, "bob"))
    assert store.applications.list() == [receipt]


def test_applications_are_found_by_detector_and_by_calibration(
    store: Store, stored: StoredCalibration
) -> None:
    other, _ = store.calibrations.add(
        calibration("other"), (None, None), stamp(), detector("other")
    )
    mine, theirs = application(stored), application(other)
    store.applications.record(mine)
    store.applications.record(theirs)
    assert store.applications.list(serial=SERIAL) == [mine]
    assert store.applications.list(calibration_id=other.id) == [theirs]
    assert store.applications.list(serial=SERIAL, calibration_id=other.id) == []


def test_a_receipt_of_a_calibration_of_another_store_is_refused(
    store: Store, stored: StoredCalibration
) -> None:
    with pytest.raises(NotFoundError, match="calibration ffffffffffff is not in the store"):
        store.applications.record(replace(application(stored), calibration_id="f" * 64))
    assert store.applications.list() == []
