"""Placements are dated, only ever added, and do not influence the resolver."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.errors import InputError, NotFoundError
from calib.model.store.placement import BeamlinePlacement, placement_at
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


def test_a_placement_is_read_back_as_recorded_and_logged(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    first = store.placements.place(placement(), stamp())
    second = store.placements.place(placement(beamline="I24", days=-3), stamp(actor="bob"))
    assert store.placements.list(SERIAL) == [second, first]
    assert (first.number, second.number) == (2, 3)
    assert second.recorded.at == first.recorded.at + TICK
    assert [(entry.kind, entry.recorded.reason) for entry in store.log.entries(SERIAL)[1:]] == [
        ("placement", "moved")
    ] * 2
    assert store.log.audit().findings == ()


def test_a_placement_is_known_from_its_position_in_the_log(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    first = store.placements.place(placement(), stamp())
    second = store.placements.place(placement(beamline="I24", days=-3), stamp())
    assert store.placements.list(SERIAL, first.number - 1) == []
    assert store.placements.list(SERIAL, first.number) == [first]
    assert store.placements.list(SERIAL, second.number) == [second, first]
    assert store.placements.list(SERIAL) == [second, first]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(starts=st.lists(st.integers(0, 5), max_size=6), at=st.integers(-1, 6))
def test_the_latest_placement_before_a_time_applies_at_it(
    store: Store, starts: list[int], at: int
) -> None:
    serial = f"D{next(COUNTER)}"
    store.detectors.add(detector(serial), stamp())
    names = [f"I{number}" for number in range(len(starts))]
    for name, days in zip(names, starts, strict=True):
        store.placements.place(placement(serial, name, days), stamp())
    expected, latest = None, -1
    for name, days in zip(names, starts, strict=True):
        if latest <= days <= at:
            expected, latest = name, days
    found = placement_at(store.placements.list(serial), NOON + at * DAY)
    assert (None if found is None else found.beamline) == expected


def test_the_resolver_does_not_depend_on_placements(store: Store) -> None:
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    store.certifications.certify(certification(stored))
    before = store.resolve(SERIAL, NOON + DAY, 150.0).certification
    store.placements.place(placement(beamline="I24"), stamp())
    assert store.resolve(SERIAL, NOON + DAY, 150.0).certification == before


def test_an_invalid_placement_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError, match="is not in the store"):
        store.placements.place(placement(), stamp())
    with pytest.raises(InputError, match="needs the name of a beamline"):
        placement(beamline=" ")
    store.detectors.add(detector(), stamp())
    once = store.placements.place(placement(), stamp())
    with pytest.raises(InputError, match="is recorded"):
        store.placements.place(once, stamp())
