"""What is named where nothing is certified for a point: the nearest certification, or a version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calib.errors import NotFoundError
from calib.model.store.record import StoredCalibration
from calib.model.store.resolution import TimePolicy
from calib.store.store import Store
from support.records import DAY, HOUR, NOON, SERIAL, calibration, certification, stamp


def add(store: Store, seed: int, accepted: bool) -> StoredCalibration:
    record = calibration(seed=seed, accepted=accepted)
    return store.calibrations.add(record, (None, None), stamp())[0]


def refused(store: Store, distance_mm: float = 150.0, **known: int) -> NotFoundError:
    with pytest.raises(NotFoundError) as caught:
        store.resolve(SERIAL, NOON, distance_mm, as_known_at=known.get("known"))
    return caught.value


def test_the_newest_accepted_version_is_proposed_as_known_then(
    store: Store, stored: StoredCalibration
) -> None:
    add(store, 1, accepted=True)
    position = store.log.entries(last=1)[0].position
    add(store, 2, accepted=False)
    assert "calib certify 24-0107:2 " in refused(store).remedy
    add(store, 3, accepted=True)
    assert "calib certify 24-0107:4 " in refused(store).remedy
    assert "calib certify 24-0107:2 " in refused(store, known=position).remedy


def test_a_certification_that_misses_in_one_way_is_nearer_than_one_that_misses_in_both(
    store: Store, stored: StoredCalibration
) -> None:
    """Whatever the sizes; of those that miss in one way the right time counts first."""
    other = add(store, 1, accepted=True)
    third = add(store, 2, accepted=True)
    both = certification(stored, NOON + HOUR, NOON + 2 * HOUR, (160.0, 170.0))
    late = certification(other, NOON + 2 * DAY, NOON + 3 * DAY, (100.0, 200.0))
    store.certifications.certify(late)
    store.certifications.certify(both)
    assert "Nearest: 24-0107:2 " in refused(store).problem
    assert "(the data are 2 days before)" in refused(store).problem
    far = replace(certification(third, NOON, NOON + HOUR, (400.0, 500.0)), gap_mm=10.0)
    store.certifications.certify(far)
    assert "Nearest: 24-0107:3 " in refused(store).problem
    assert "(the data are 250 mm off)" in refused(store).problem


def test_of_equally_near_certifications_the_newest_is_named(
    store: Store, stored: StoredCalibration
) -> None:
    other = add(store, 1, accepted=True)
    store.certifications.certify(certification(stored, NOON, NOON + DAY, (100.0, 140.0)))
    store.certifications.certify(certification(other, NOON, NOON + DAY, (160.0, 200.0)))
    assert "Nearest: 24-0107:2 " in refused(store).problem
    again = certification(stored, NOON, NOON + DAY, (100.0, 140.0))
    store.certifications.certify(replace(again, gap_mm=1.0))
    assert "Nearest: 24-0107:1 " in refused(store).problem


def test_a_calibration_is_not_proposed_for_data_much_older_than_its_own(
    store: Store, stored: StoredCalibration
) -> None:
    """Not by more than the age of its own data at the time of the last entry of the log."""
    record = calibration(seed=7)
    later = stamp(NOON + 10 * DAY)
    added, _ = store.calibrations.add(record, (NOON, NOON + DAY), later)
    store.certifications.certify(replace(certification(added, NOON), recorded=later))

    def remedy(days: float) -> str:
        with pytest.raises(NotFoundError) as caught:
            store.resolve(SERIAL, NOON - days * DAY, 150.0)
        return caught.value.remedy

    assert remedy(9.9).startswith(f"calib certify {added.name} --from 2026-02-19T00:00:00Z ")
    assert remedy(10.5) == (
        "derive a calibration from data of that time, or accept one of another time: "
        "--time-policy closest."
    )
    found = store.resolve(SERIAL, NOON - 10.5 * DAY, 150.0, time_policy=TimePolicy.CLOSEST)
    assert found.calibration.id == added.id
    with pytest.raises(NotFoundError) as caught:
        store.resolve(SERIAL, NOON - 400 * DAY, 9000.0)
    assert caught.value.remedy == (
        "derive a calibration from data of that time and at that distance."
    )
    store.certifications.withdraw(added.id, "moved", later)
    assert remedy(9.0).startswith(f"calib certify {stored.name} ")
    assert remedy(20.0) == "derive a calibration from data of that time."


def test_a_calibration_is_not_proposed_for_data_much_later_than_its_own(
    store: Store, stored: StoredCalibration
) -> None:
    """Not by more than the time after which look-ups give a warning."""
    added, _ = store.calibrations.add(calibration(seed=7), (NOON, NOON + DAY), stamp())

    def remedy(days: float) -> str:
        with pytest.raises(NotFoundError) as caught:
            store.resolve(SERIAL, NOON + days * DAY, 150.0)
        return caught.value.remedy

    for end in (None, NOON + 2 * DAY):
        assert remedy(181.0).startswith(f"calib certify {added.name} ")
        assert remedy(181.1).startswith("derive a calibration from data of that time")
        if end is None:
            store.certifications.certify(certification(added, NOON, NOON + 2 * DAY))
    found = store.resolve(SERIAL, NOON + 181.1 * DAY, 150.0, time_policy=TimePolicy.CLOSEST)
    assert found.calibration.id == added.id


def test_drafts_and_withdrawn_calibrations_are_not_proposed(
    store: Store, stored: StoredCalibration
) -> None:
    derive = "derive a calibration from data"
    second = add(store, 1, accepted=True)
    add(store, 2, accepted=False)
    assert "calib certify 24-0107:2 " in refused(store).remedy
    made = store.certifications.certify(certification(second))
    before = store.log.entries(last=1)[0].position
    store.certifications.withdraw(made.number, "a loose cable", stamp())
    assert "calib certify 24-0107:1 " in refused(store).remedy
    only = store.certifications.certify(certification(stored))
    store.certifications.withdraw(only.number, "a loose cable", stamp())
    assert refused(store).remedy == f"{derive} of that time."
    assert refused(store, 9000.0).remedy == f"{derive} of that time."
    first = before - 1
    assert "calib certify 24-0107:2 " in refused(store, known=first).remedy


def test_a_first_certification_is_proposed_only_for_its_default_distances(
    store: Store, stored: StoredCalibration
) -> None:
    """From half the shortest to twice the longest distance of its data, 150 and 400 mm."""
    for distance_mm in (75.0, 799.9):
        assert "calib certify 24-0107:1 " in refused(store, distance_mm).remedy
    for distance_mm in (74.9, 800.0):
        remedy = refused(store, distance_mm).remedy
        assert remedy == "derive a calibration from data at that distance."
    assert "give it in mm: --distance-mm 150." in refused(store, 0.15).remedy
    store.certifications.certify(certification(stored))
    assert " at 0.15 mm. " in refused(store, 0.15).problem
