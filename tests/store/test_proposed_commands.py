"""The command proposed where nothing is certified covers the point and changes no answer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.model.store.certification_rules import changes_by_certifying, live
from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.validity import DistanceRange, Validity
from calib.store.resolve.no_match import _none_covers as none_covers
from support.records import HOUR, NOON, SERIAL

AT = NOON + 5 * HOUR
DISTANCE_MM = 150.5
DAY = timedelta(days=1)


@st.composite
def certifications(draw: st.DrawFn) -> list[Certification]:
    """Certifications around the point, none of which covers it; the ends touch it now and then."""
    days = st.integers(-6, 6).map(lambda n: AT + n * timedelta(hours=9))
    distances = st.integers(0, 12).map(lambda n: 120.5 + 5.0 * n)
    found: list[Certification] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        start, end = sorted(draw(st.lists(days, min_size=2, max_size=2, unique=True)))
        least, most = sorted(draw(st.lists(distances, min_size=2, max_size=2, unique=True)))
        validity = Validity(start, draw(st.sampled_from([end, None])))
        covered = DistanceRange(least, most)
        if AT in validity and DISTANCE_MM in covered:
            validity = Validity(start, AT) if start < AT else Validity(AT + HOUR, None)
        found.append(certified(number, validity, covered))
    return found


def certified(
    number: int, validity: Validity, distances: DistanceRange, gap_mm: float = 1000.0
) -> Certification:
    stamp = ChangeStamp(NOON + number * HOUR, "ada", "beamline")
    name = f"{number:064x}"
    return Certification(
        number, name, SERIAL, number, validity, distances, "swap", "", stamp, None, "", gap_mm
    )


def proposed(remedy: str, among: Sequence[Certification]) -> Certification:
    """The certification that a printed command would record."""
    words = shlex.split(remedy)
    assert words[:2] == ["calib", "certify"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    end = options.get("--to")
    (one,) = (one for one in among if words[2] == f"{one.serial}:{one.version}")
    return replace(
        one,
        number=len(among) + 1,
        validity=Validity(instant(options["--from"]), None if end is None else instant(end)),
        distances=DistanceRange(float(options["--min-distance"]), float(options["--max-distance"])),
    )


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@settings(max_examples=400)
@given(certifications())
def test_the_proposed_command_covers_the_point_and_changes_no_answer(
    all_: list[Certification],
) -> None:
    active = live(all_)
    new = proposed(none_covers(active, AT, DISTANCE_MM).remedy, active)
    assert AT in new.validity
    assert DISTANCE_MM in new.distances
    assert [one.before for one in changes_by_certifying(new, active) if one.before] == []


@settings(max_examples=400)
@given(certifications())
def test_the_proposal_is_no_wider_than_the_nearest_certification_and_the_way_to_it(
    all_: list[Certification],
) -> None:
    active = live(all_)
    new = proposed(none_covers(active, AT, DISTANCE_MM).remedy, active)
    near = next(one for one in active if one.version == new.version)
    midnight = datetime(AT.year, AT.month, AT.day, tzinfo=UTC)
    assert new.validity.start >= min(near.validity.start, midnight)
    if near.validity.end is not None:
        latest = max(near.validity.end, near.validity.start, midnight + DAY)
        assert new.validity.end is not None
        assert new.validity.end <= latest
    assert new.distances.minimum_mm >= min(near.distances.minimum_mm, 150.0)
    assert new.distances.maximum_mm <= max(near.distances.maximum_mm, 151.0)


def test_a_point_off_in_time_and_distance_is_reached_from_the_nearest_corner() -> None:
    """The proposal begins where the certification ends, in time as well as in distance."""
    midnight = datetime(AT.year, AT.month, AT.day, tzinfo=UTC)
    earlier = certified(1, Validity(AT - 3 * DAY, AT - DAY), DistanceRange(100.0, 120.5))
    new = proposed(none_covers([earlier], AT, DISTANCE_MM).remedy, [earlier])
    assert new.validity == Validity(AT - DAY, midnight + DAY)
    assert new.distances == DistanceRange(120.5, 151.0)
    later = certified(1, Validity(AT + DAY, None), DistanceRange(170.5, 200.0))
    new = proposed(none_covers([later], AT, DISTANCE_MM).remedy, [later])
    assert new.validity == Validity(midnight, AT + DAY)
    assert new.distances == DistanceRange(150.0, 170.5)


def test_a_distance_that_may_be_in_metres_is_asked_back() -> None:
    one = certified(1, Validity(AT, None), DistanceRange(100.0, 200.0))
    for typed, meant in ((0.15, "150"), (0.5, "500"), (9.99, "9990")):
        remedy = none_covers([one], AT, typed).remedy
        assert remedy == f"if {typed:g} is in metres, give it in mm: --distance-mm {meant}."
    new = proposed(none_covers([one], AT, 10.0).remedy, [one])
    assert new.distances == DistanceRange(10.0, 100.0)


def test_distances_are_shown_to_a_tenth_of_a_millimetre_unless_that_would_mislead() -> None:
    one = certified(1, Validity(AT + HOUR, None), DistanceRange(100.0, 200.0))
    assert " at 149.9 mm. Nearest" in none_covers([one], AT, 149.9312).problem
    assert " at 150 mm. Nearest" in none_covers([one], AT, 150.0312).problem
    beyond = none_covers([one], AT, 200.0312).problem
    assert " at 200 mm. Nearest" in beyond
    assert "0.0312 mm off" in beyond
    below = none_covers([one], AT, 99.9688).problem
    assert " at 99.9688 mm. Nearest" in below


def test_every_certification_at_the_distance_limits_the_proposed_time() -> None:
    """Whichever is recorded later, and although one of another time and distance comes first."""
    nearest = certified(1, Validity(AT + HOUR, AT + 2 * HOUR), DistanceRange(100.0, 200.0))
    before = certified(2, Validity(AT - 3 * HOUR, AT - 2 * HOUR), DistanceRange(100.0, 200.0))
    elsewhere = certified(3, Validity(AT - 9 * DAY, AT - 8 * DAY), DistanceRange(300.0, 400.0))
    for order in permutations((nearest, before, elsewhere)):
        new = proposed(none_covers(list(order), AT, DISTANCE_MM).remedy, order)
        assert (new.version, new.validity) == (1, Validity(AT - 2 * HOUR, AT + HOUR))
        assert new.distances == DistanceRange(100.0, 200.0)


def test_the_next_certification_at_the_distance_ends_an_open_proposal() -> None:
    """The first of those that begin later, whatever their order."""
    nearest = certified(1, Validity(AT - HOUR, None), DistanceRange(160.0, 200.0))
    next_one = certified(2, Validity(AT + HOUR, AT + 2 * HOUR), DistanceRange(145.0, 155.0))
    last = certified(3, Validity(AT + 3 * HOUR, None), DistanceRange(145.0, 155.0))
    for order in permutations((nearest, next_one, last)):
        new = proposed(none_covers(list(order), AT, DISTANCE_MM).remedy, order)
        assert (new.version, new.validity) == (1, Validity(AT - HOUR, AT + HOUR))
        assert new.distances == DistanceRange(150.0, 160.0)


@pytest.mark.parametrize(("least", "most"), [(150.3, 150.8), (150.1, 150.6)])
def test_every_certification_at_the_time_limits_the_proposed_distances(
    least: float, most: float
) -> None:
    """Whichever is nearest or recorded later, and although one of another time comes first."""
    below = certified(1, Validity(AT - DAY, AT + DAY), DistanceRange(100.0, least))
    above = certified(2, Validity(AT - DAY, AT + DAY), DistanceRange(most, 200.0))
    elsewhere = certified(3, Validity(AT - 9 * DAY, AT - 8 * DAY), DistanceRange(100.0, 400.0))
    for order in permutations((below, above, elsewhere)):
        new = proposed(none_covers(list(order), AT, DISTANCE_MM).remedy, order)
        assert new.version == (1 if DISTANCE_MM - least < most - DISTANCE_MM else 2)
        assert new.validity == Validity(AT - DAY, AT + DAY)
        assert new.distances == DistanceRange(least, most)


def test_a_miss_of_a_tenth_of_a_millimetre_is_one_in_distance() -> None:
    """A certification that misses in time only is nearer than one that misses in both."""
    both = certified(1, Validity(AT + HOUR, None), DistanceRange(100.0, DISTANCE_MM - 0.1))
    late = certified(2, Validity(AT - 3 * DAY, AT - 2 * DAY), DistanceRange(100.0, 200.0))
    for order in permutations((both, late)):
        new = proposed(none_covers(list(order), AT, DISTANCE_MM).remedy, order)
        assert new.version == 2


DERIVE = "derive a calibration from data"


def test_distances_beyond_the_extrapolation_limit_are_not_proposed() -> None:
    one = certified(1, Validity(AT, None), DistanceRange(100.0, 200.0), gap_mm=20.0)
    for distance_mm, limit_mm in ((220.0, 221.0), (80.0, 200.0)):
        new = proposed(none_covers([one], AT, distance_mm).remedy, [one])
        assert distance_mm in new.distances
        assert new.distances.maximum_mm <= limit_mm
    for distance_mm in (220.1, 79.9, 9000.0):
        assert none_covers([one], AT, distance_mm).remedy == f"{DERIVE} at that distance."
    earlier = AT - HOUR
    assert proposed(none_covers([one], earlier, 210.0).remedy, [one]).distances.maximum_mm == 211.0
    assert none_covers([one], earlier, 9000.0).remedy == f"{DERIVE} at that distance."
    both = none_covers([one], earlier, 9000.0, lambda _one: False).remedy
    assert both == f"{DERIVE} of that time and at that distance."
    reach = DistanceRange(75.0, 800.0)  # half to twice the distances of its data
    for distance_mm in (75.0, 799.9):
        found = none_covers([one], AT, distance_mm, reach=lambda _one: reach)
        assert distance_mm in proposed(found.remedy, [one]).distances
    for distance_mm in (74.9, 800.0):
        found = none_covers([one], AT, distance_mm, reach=lambda _one: reach)
        assert found.remedy == f"{DERIVE} at that distance."


def test_a_draft_is_not_proposed_for_other_times_or_distances() -> None:
    one = certified(1, Validity(AT, AT + HOUR), DistanceRange(100.0, 200.0))

    def remedy(at: datetime, distance_mm: float) -> str:
        found = none_covers([one], at, distance_mm, lambda _one: True, lambda _one: None)
        return found.remedy

    closest = ", or accept one of another time: --time-policy closest."
    assert remedy(AT - HOUR, 150.0) == remedy(AT + HOUR, 150.0) == f"{DERIVE} of that time{closest}"
    assert remedy(AT, 200.0) == f"{DERIVE} at that distance."
