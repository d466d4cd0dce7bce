"""Where detectors stand: dated, only ever added, and of no influence on what holds."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.errors import InputError, NotFoundError
from calib.model.store.placement import BeamlinePlacement, standing_at
from calib.store.store import Store
from support.records import (
    DAY,
    NOON,
    SERIAL,
    calibration,
    certification,
    detector,
    stamp,
)

COUNTER = itertools.count()
TICK = timedelta(microseconds=1)


def placement(serial: str = SERIAL, beamline: str = "I04", days: float = 0.0) -> BeamlinePlacement:
    return BeamlinePlacement(0, serial, beamline, NOON + days * DAY, "moved", stamp())


def test_a_placement_comes_back_as_it_was_recorded_and_stands_in_the_log(store: Store) -> None:
    store.add_detector(detector(), stamp())
    first = store.place_detector(placement(), stamp())
    second = store.place_detector(placement(beamline="I24", days=-3), stamp(actor="bob"))
    assert store.placements(SERIAL) == [second, first]
    assert (first.number, second.number) == (2, 3)
    assert second.recorded.at == first.recorded.at + TICK
    assert [(entry.kind, entry.recorded.reason) for entry in store.log(SERIAL)[1:]] == [
        ("placement", "moved")
    ] * 2
    assert store.audit().findings == ()


def test_a_placement_is_known_from_its_place_in_the_log_on(store: Store) -> None:
    store.add_detector(detector(), stamp())
    first = store.place_detector(placement(), stamp())
    second = store.place_detector(placement(beamline="I24", days=-3), stamp())
    assert store.placements(SERIAL, first.number - 1) == []
    assert store.placements(SERIAL, first.number) == [first]
    assert store.placements(SERIAL, second.number) == store.placements(SERIAL) == [second, first]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(starts=st.lists(st.integers(0, 5), max_size=6), at=st.integers(-1, 6))
def test_a_detector_stands_where_it_was_placed_last_before_then(
    store: Store, starts: list[int], at: int
) -> None:
    serial = f"D{next(COUNTER)}"
    store.add_detector(detector(serial), stamp())
    names = [f"I{number}" for number in range(len(starts))]
    for name, days in zip(names, starts, strict=True):
        store.place_detector(placement(serial, name, days), stamp())
    expected, latest = None, -1
    for name, days in zip(names, starts, strict=True):
        if latest <= days <= at:
            expected, latest = name, days
    found = standing_at(store.placements(serial), NOON + at * DAY)
    assert (None if found is None else found.beamline) == expected


def test_what_holds_does_not_depend_on_where_the_detector_stands(store: Store) -> None:
    stored, _ = store.add_calibration(calibration(), (NOON, None), stamp(), detector())
    store.certify(certification(stored))
    before = store.resolve(SERIAL, NOON + DAY, 150.0).certification
    store.place_detector(placement(beamline="I24"), stamp())
    assert store.resolve(SERIAL, NOON + DAY, 150.0).certification == before


def test_what_is_no_placement_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError, match="knows no detector"):
        store.place_detector(placement(), stamp())
    with pytest.raises(InputError, match="needs the name of a beamline"):
        placement(beamline=" ")
    store.add_detector(detector(), stamp())
    once = store.place_detector(placement(), stamp())
    with pytest.raises(InputError, match="is recorded"):
        store.place_detector(once, stamp())
