"""How many corrected files a certification or a withdrawal affects: those whose data lie in it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from calib.errors import NotFoundError
from calib.model.store.record import StoredCalibration
from calib.store.store import Store
from support.records import DAY, HOUR, NOON, application, calibration, certification, stamp

TICK = timedelta(microseconds=1)
NEAREST_MM, FARTHEST_MM = 100.0, 200.0
BELOW_MM, LAST_MM = math.nextafter(NEAREST_MM, 0.0), math.nextafter(FARTHEST_MM, 0.0)
POINTS = [
    (NOON, 150.0, True),
    (NOON - TICK, 150.0, False),
    (NOON + DAY - TICK, 150.0, True),
    (NOON + DAY, 150.0, False),
    (NOON + HOUR, NEAREST_MM, True),
    (NOON + HOUR, BELOW_MM, False),
    (NOON + HOUR, LAST_MM, True),
    (NOON + HOUR, FARTHEST_MM, False),
]


def test_files_are_affected_whose_data_lie_within_the_bounds(
    store: Store, stored: StoredCalibration
) -> None:
    """Start and nearest distance included, end and greatest distance not."""
    region = (NOON, NOON + DAY, (NEAREST_MM, FARTHEST_MM))
    number = store.certifications.certify(certification(stored, *region)).number
    other, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    replacing, expected = certification(other, *region), 0
    for place, (at, distance_mm, inside) in enumerate(POINTS):
        receipt = replace(
            application(stored),
            data_time=at,
            distance_mm=distance_mm,
            output_sha256=(f"{place:064x}",),
        )
        assert store.applications.record(receipt)
        expected += inside
        _, preview = store.certifications.preview_withdraw(number)
        assert preview.affected == expected
        assert store.certifications.preview_certify(replacing).affected == expected


def test_files_corrected_later_do_not_count_as_affected_then(
    store: Store, stored: StoredCalibration
) -> None:
    number = store.certifications.certify(certification(stored)).number
    store.applications.record(application(stored, "before.expt"))
    (withdrawn,) = store.certifications.withdraw(number, "no", stamp())
    position = store.log.entries(last=1)[0].position
    assert withdrawn.number == number
    assert store.certifications.consequences(position).affected == 1
    later = replace(application(stored, "after.expt"), output_sha256=("ef" * 32,))
    store.applications.record(later)
    assert store.certifications.consequences(position).affected == 1


def test_what_a_change_replaced_is_known_from_the_entry_just_before_it(
    store: Store, stored: StoredCalibration
) -> None:
    """Nothing is recorded between the certification, the one that replaces it and its end."""
    first = store.certifications.certify(certification(stored)).number
    other, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    second = store.certifications.certify(certification(other), supersede=True).number
    third = store.certifications.certify(certification(stored), supersede=True).number
    store.certifications.withdraw(third, "no", stamp())
    last = store.log.entries(last=1)[0].position
    befores = [
        [None if one.before is None else one.before.number for one in found.changes]
        for found in map(store.certifications.consequences, (first, second, third, last))
    ]
    assert befores == [[None], [first], [second], [third]]


def test_only_certifications_and_withdrawals_have_consequences(
    store: Store, stored: StoredCalibration
) -> None:
    number = store.certifications.certify(certification(stored)).number
    assert store.certifications.consequences(number).changes
    with pytest.raises(NotFoundError, match="neither a certification nor a withdrawal") as caught:
        store.certifications.consequences(number - 1)
    assert caught.value.code == "no-assertion"


def test_where_nothing_applied_no_file_is_affected(store: Store, stored: StoredCalibration) -> None:
    """Although a file was corrected with another calibration, taken by its name."""
    store.applications.record(application(stored))
    other, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    found = store.certifications.preview_certify(certification(other))
    assert [one.before for one in found.changes] == [None]
    assert found.affected == 0


def test_files_of_all_certifications_that_are_replaced_count_as_affected(
    store: Store, stored: StoredCalibration
) -> None:
    """Two on the first day and one on the second: three for a certification of both days."""
    other, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    store.certifications.certify(certification(stored, NOON, NOON + DAY))
    store.certifications.certify(certification(other, NOON + DAY, NOON + 2 * DAY))
    for place, (one, at) in enumerate(((stored, NOON), (stored, NOON), (other, NOON + DAY))):
        receipt = replace(application(one), data_time=at, output_sha256=(f"{place:064x}",))
        assert store.applications.record(receipt)
    third, _ = store.calibrations.add(calibration(seed=2), (None, None), stamp())
    over_both = certification(third, NOON, NOON + 2 * DAY)
    assert store.certifications.preview_certify(over_both).affected == 3
