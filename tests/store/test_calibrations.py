"""Detectors and calibrations are read back bit for bit, and recorded once."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.errors import InputError, LayoutError, NotFoundError
from calib.model.base.bounds import FIRST_INSTANT, LAST_INSTANT
from calib.model.base.canonical import canonical_bytes, instant_from, microseconds
from calib.model.base.content import to_content
from calib.model.detector.correction import Freedom
from calib.model.detector.layout import PanelFrames
from calib.model.store.record import ChangeStamp, DetectorRecord, State
from calib.store.store import Store
from support.records import (
    HOUR,
    INSTANTS,
    NOON,
    SERIAL,
    SERIALS,
    TEXT,
    calibration,
    certification,
    derivations,
    detector,
    stamp,
)

STARTS = (NOON, None)
TICK = timedelta(microseconds=1)
CLOCKS = st.integers(microseconds(FIRST_INSTANT), microseconds(LAST_INSTANT)).map(instant_from)
"""All times that an entry may have."""
COUNTER = itertools.count()
"""Every example has a detector of its own in the one store."""


@pytest.fixture
def known(store: Store) -> Store:
    """A store with one detector."""
    assert store.detectors.add(detector(), stamp())
    return store


def test_a_detector_comes_back_as_it_was_registered(known: Store) -> None:
    back = known.detectors.get(SERIAL)
    assert canonical_bytes(to_content(back.layout.content())) == canonical_bytes(
        detector().layout.content()
    )
    assert (back.time_zone, back.description) == ("Europe/London", "PILATUS, S/N 24-0107")
    assert [one.serial for one in known.detectors.list()] == [SERIAL]


def test_registering_twice_is_registering_once(known: Store) -> None:
    assert not known.detectors.add(detector(), stamp(NOON + HOUR))
    assert len(known.detectors.list()) == 1


def test_one_serial_has_one_layout(known: Store) -> None:
    with pytest.raises(LayoutError, match="4 panels, expected 3"):
        known.detectors.add(detector(n_panels=4), stamp())
    moved = detector()
    origin = moved.layout.frames.origin_mm.copy()
    origin[2, 0] += 0.5
    frames = PanelFrames(moved.layout.frames.rotation, origin)
    elsewhere = replace(moved, layout=replace(moved.layout, frames=frames))
    with pytest.raises(LayoutError, match=r"panel 2 is 0\.5 mm from its registered place"):
        known.detectors.add(elsewhere, stamp())


def test_the_error_for_an_unknown_detector_lists_the_known_ones(known: Store) -> None:
    with pytest.raises(NotFoundError, match="24-0999 is not in the store, which has 24-0107"):
        known.detectors.get("24-0999")
    with pytest.raises(NotFoundError, match="24-0999 is not in the store"):
        known.calibrations.list("24-0999")


@given(st.data(), SERIALS, st.builds(ChangeStamp, CLOCKS, TEXT, TEXT))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_record_comes_back_bit_for_bit(
    store: Store, data: st.DataObject, serial: str, who: ChangeStamp
) -> None:
    serial = f"{next(COUNTER)}{serial}"
    drawn, record = data.draw(derivations(serial))
    count = len(record.report.datasets)
    starts = data.draw(st.lists(st.none() | INSTANTS, min_size=count, max_size=count))
    added, new = store.calibrations.add(record, starts, who, drawn)
    assert new
    back = store.calibrations.get(record.id)
    assert back.id == added.id == record.id == back.record.id
    assert canonical_bytes(to_content(back.record.report)) == canonical_bytes(
        to_content(record.report)
    )
    mine, theirs = record.estimate, back.record.estimate
    np.testing.assert_array_equal(theirs.correction.values, mine.correction.values)
    np.testing.assert_array_equal(theirs.covariance, mine.covariance)
    np.testing.assert_array_equal(theirs.sigma, mine.sigma)
    assert back.starts == tuple(sorted(start for start in starts if start is not None))
    assert (back.stored.actor, back.stored.host) == (who.actor, who.host)
    assert store.detectors.get(serial).layout_id == drawn.layout_id


def test_versions_are_dense_per_detector_and_drafts_take_numbers(known: Store) -> None:
    known.detectors.add(detector("other"), stamp())
    names = []
    for seed in range(3):
        for serial in (SERIAL, "other"):
            record = calibration(serial, seed, accepted=seed != 1)
            names.append(known.calibrations.add(record, STARTS, stamp())[0].name)
    assert names == [f"{serial}:{v}" for v in (1, 2, 3) for serial in (SERIAL, "other")]


def test_the_same_content_twice_is_the_same_calibration(known: Store) -> None:
    first, new = known.calibrations.add(calibration(), STARTS, stamp())
    assert new
    again, new = known.calibrations.add(calibration(), STARTS, stamp(NOON + HOUR, "bob", "home"))
    assert not new
    assert (again.id, again.version, again.stored) == (first.id, 1, first.stored)
    assert len(known.calibrations.list()) == 1


def test_a_derivation_registers_its_detector_in_the_same_transaction(store: Store) -> None:
    with pytest.raises(
        NotFoundError, match="24-0107 is not in the store, which has no detector yet"
    ):
        store.calibrations.add(calibration(), STARTS, stamp())
    with pytest.raises(LayoutError, match="with another layout"):
        store.calibrations.add(calibration(), STARTS, stamp(), detector(seed=1))
    assert store.detectors.list() == []
    stored, _ = store.calibrations.add(calibration(), STARTS, stamp(), detector())
    assert stored.name == f"{SERIAL}:1"
    assert store.detectors.get(SERIAL).layout_id == detector().layout_id


def test_a_calibration_of_another_layout_is_refused(known: Store) -> None:
    with pytest.raises(LayoutError, match="with another layout than detector"):
        known.calibrations.add(calibration(n_panels=4), STARTS, stamp())
    with pytest.raises(LayoutError, match="4 panels, expected 3"):
        known.calibrations.add(calibration(n_panels=4), STARTS, stamp(), detector(n_panels=4))


def test_recorded_times_increase_even_if_the_clock_is_set_back(known: Store) -> None:
    first, _ = known.calibrations.add(calibration(seed=1), STARTS, stamp(NOON + HOUR))
    second, _ = known.calibrations.add(calibration(seed=2), STARTS, stamp(NOON - HOUR))
    third, _ = known.calibrations.add(calibration(seed=3), STARTS, stamp(NOON + 2 * HOUR))
    times = [stored.stored.at for stored in (first, second, third)]
    assert times == [NOON + HOUR, NOON + HOUR + TICK, NOON + 2 * HOUR]


def test_a_calibration_is_found_by_each_form_of_its_name(known: Store) -> None:
    stored, _ = known.calibrations.add(calibration(), STARTS, stamp())
    for reference in (f"{SERIAL}:1", stored.id, stored.id[:8], stored.id[:9].upper(), "1"):
        assert known.calibrations.get(reference).id == stored.id
    known.detectors.add(detector("other"), stamp())
    assert known.calibrations.get("1", SERIAL).id == stored.id
    with pytest.raises(
        InputError, match=r"has 2 detectors, so version 1 is ambiguous: .*24-0107:1, other:1"
    ):
        known.calibrations.get("1")
    with pytest.raises(InputError, match="does not name a calibration"):
        known.calibrations.get(stored.id[:7] + "z")
    with pytest.raises(NotFoundError, match="has no calibration 2; its versions are 1 to 1"):
        known.calibrations.get(f"{SERIAL}:2")
    with pytest.raises(NotFoundError, match="no calibration has an id that begins with 00000000"):
        known.calibrations.get("00000000")
    with pytest.raises(InputError, match="not a calibration of detector other"):
        known.calibrations.get(f"{SERIAL}:1", "other")


def test_listed_lines_agree_with_the_calibrations(known: Store) -> None:
    flat = calibration(seed=1, freedom=Freedom.IN_PLANE, distances_mm=(200.0,))
    known.calibrations.add(flat, (None,), stamp())
    known.calibrations.add(calibration(seed=2, accepted=False), STARTS, stamp())
    one, two = known.calibrations.list(SERIAL)
    assert (one.id, one.version, one.state, one.freedom) == (flat.id, 1, State.ACCEPTED, "in-plane")
    assert one.distances_mm == (200.0,)
    assert one.n_reflections == int(flat.estimate.n_reflections.sum())
    assert (two.version, two.state) == (2, State.DRAFT)


def test_the_state_follows_from_the_record(known: Store) -> None:
    stored, _ = known.calibrations.add(calibration(), STARTS, stamp())
    assert known.calibrations.get("1").state is State.ACCEPTED
    known.certifications.certify(certification(stored))
    second = known.certifications.certify(certification(stored, NOON + HOUR))
    assert known.calibrations.get("1").state is State.CERTIFIED
    known.certifications.withdraw(second.number, "wrong distance", stamp())
    assert known.calibrations.get("1").state is State.CERTIFIED
    known.certifications.withdraw(stored.id, "wrong detector", stamp())
    assert known.calibrations.get("1").state is State.WITHDRAWN
    assert known.calibrations.list()[0].state is State.WITHDRAWN


def test_corrections_are_listed_newest_first(known: Store) -> None:
    assert known.calibrations.corrections(SERIAL) == []
    records = [calibration(seed=seed) for seed in range(3)]
    for record in records:
        known.calibrations.add(record, STARTS, stamp())
    found = known.calibrations.corrections(SERIAL)
    assert [name for name, _ in found] == [f"{SERIAL}:{v}" for v in (3, 2, 1)]
    for (_, correction), record in zip(found, reversed(records), strict=True):
        np.testing.assert_array_equal(correction.values, record.estimate.correction.values)


def test_integers_in_a_record_give_the_same_id_as_the_floats_in_its_rows(known: Store) -> None:
    record = calibration()
    report = replace(record.report, held_out_dropped=0)
    stored, _ = known.calibrations.add(replace(record, report=report), STARTS, stamp())
    assert stored.id == replace(record, report=replace(report, held_out_dropped=0.0)).id


def test_text_that_one_database_cannot_hold_is_refused_by_both(store: Store) -> None:
    for bad in ("a\0b", "a\ud800b"):
        with pytest.raises(InputError, match=r"NUL|not Unicode"):
            store.detectors.add(DetectorRecord(SERIAL, detector().layout, "UTC", bad), stamp())
    assert store.detectors.list() == []


def test_a_stamp_without_a_time_zone_is_refused(known: Store) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(InputError, match="has no time zone"):
        known.calibrations.add(calibration(), STARTS, stamp(naive))
    with pytest.raises(InputError, match="has no time zone"):
        known.calibrations.add(calibration(), (naive, None), stamp())
    assert known.calibrations.list() == []
