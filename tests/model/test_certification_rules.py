"""What applies where and what a change alters, against asking at every point of a lattice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from calib.model.store.certification_rules import (
    Change,
    Region,
    answers_over,
    changes_by_certifying,
    changes_by_withdrawing,
    is_succession,
    live,
)
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, Validity
from support.records import HOUR, NOON, SERIAL, stamp

LATTICE = [
    (NOON + hour * HOUR, 10.0 * tens)
    for hour, tens in itertools.product((*range(7), 100), range(5))
]
"""Every bound of a region is at an hour or a multiple of 10 mm, or there is no end."""
Answers = dict[tuple[datetime, float], Certification | None]


def certified(
    number: int, start: int, end: int | None, low: int, high: int, calibration: int
) -> Certification:
    validity = Validity(NOON + start * HOUR, None if end is None else NOON + end * HOUR)
    reach = DistanceRange(10.0 * low, 10.0 * high)
    name = f"{calibration:064x}"
    return Certification(
        number, name, SERIAL, calibration, validity, reach, "swap", "", stamp(), None, ""
    )


@st.composite
def histories(draw: st.DrawFn, most: int = 5) -> list[Certification]:
    """Certifications of three calibrations, newest first; many overlap."""
    found = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        start, low = draw(st.integers(0, 4)), draw(st.integers(0, 3))
        end = draw(st.none() | st.integers(start + 1, 6))
        high = draw(st.integers(low + 1, 4))
        found.append(certified(number, start, end, low, high, draw(st.integers(1, 3))))
    return live(found)


def at(point: tuple[datetime, float], active: Iterable[Certification]) -> Certification | None:
    """What applies at a point: the certification with the greatest number that covers it."""
    covering = [one for one in active if point[0] in one.validity and point[1] in one.distances]
    return max(covering, key=lambda one: one.number, default=None)


def inside(point: tuple[datetime, float], region: Region) -> bool:
    return point[0] in region.validity and point[1] in region.distances


def changed(changes: Sequence[Change]) -> Answers:
    """The answer after the changes at every point that they name, each named once."""
    found: Answers = {}
    for change, point in itertools.product(changes, LATTICE):
        if inside(point, change.region):
            assert point not in found
            found[point] = change.after
    return found


def differing(before: Sequence[Certification], after: Sequence[Certification]) -> Answers:
    """The new answer at every point at which another calibration applies than before."""
    found: Answers = {}
    for point in LATTICE:
        old, new = at(point, before), at(point, after)
        if getattr(old, "calibration_id", None) != getattr(new, "calibration_id", None):
            found[point] = new
    return found


def assert_in_order_and_merged(changes: Sequence[Change]) -> None:
    places = [(one.region.validity.start, one.region.distances.minimum_mm) for one in changes]
    assert places == sorted(places)
    for one, other in itertools.combinations(changes, 2):
        if one.before is not other.before or one.after is not other.after:
            continue
        a, b = one.region, other.region
        assert not (a.distances == b.distances and a.validity.end == b.validity.start)
        assert not (a.validity == b.validity and a.distances.maximum_mm == b.distances.minimum_mm)


@given(histories())
def test_a_region_is_cut_into_parts_by_what_applies(active: list[Certification]) -> None:
    whole = Region(Validity(NOON + HOUR, None), DistanceRange(10.0, 40.0))
    parts = answers_over(whole, active)
    for point in LATTICE:
        found = [one for part, one in parts if inside(point, part)]
        assert found == ([at(point, active)] if inside(point, whole) else [])


def test_certifications_older_than_one_that_covers_the_region_are_not_asked() -> None:
    newest = certified(2, 0, None, 0, 4, 1)

    def active() -> Iterable[Certification]:
        yield newest
        raise AssertionError

    part = Region(Validity(NOON, NOON + HOUR), DistanceRange(10.0, 20.0))
    assert answers_over(part, active()) == [(part, newest)]


@given(histories())
def test_a_certification_changes_the_answer_where_another_calibration_applied(
    found: list[Certification],
) -> None:
    new, *active = found
    changes = changes_by_certifying(new, active)
    assert changed(changes) == differing(active, [new, *active])
    for change in changes:
        assert all(
            at(point, active) == change.before for point in LATTICE if inside(point, change.region)
        )
    assert_in_order_and_merged(changes)


@given(histories(), st.sets(st.integers(1, 5), min_size=1, max_size=3))
def test_a_withdrawal_changes_the_answer_where_another_calibration_applies_then(
    active: list[Certification], numbers: set[int]
) -> None:
    kept = [one for one in active if one.number not in numbers]
    changes = changes_by_withdrawing(numbers, active)
    assert changed(changes) == differing(active, kept)
    for change in changes:
        assert change.before is not None
        assert change.before.number in numbers
    assert_in_order_and_merged(changes)


def test_a_succession_replaces_nothing_or_one_without_an_end_that_began_earlier() -> None:
    region = Region(Validity(NOON + 2 * HOUR, None), DistanceRange(10.0, 20.0))
    new = certified(9, 2, None, 1, 2, 2)

    def succeeds(before: Certification | None, after: Certification | None) -> bool:
        return is_succession(Change(region, before, after))

    assert succeeds(None, new)
    assert succeeds(new, None)
    assert succeeds(certified(1, 1, None, 1, 2, 1), new)
    assert not succeeds(certified(1, 2, None, 1, 2, 1), new)
    assert not succeeds(certified(1, 3, None, 1, 2, 1), new)
    assert not succeeds(certified(1, 1, 6, 1, 2, 1), new)
