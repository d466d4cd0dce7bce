"""Which certification applies where none covers the point, and which of equally close ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from calib.errors import NotFoundError
from calib.model.store.record import StoredCalibration
from calib.model.store.resolution import DistancePolicy, TimePolicy
from calib.store.store import Store
from support.records import DAY, HOUR, NOON, SERIAL, calibration, certification, stamp

NEAREST, CLOSEST = DistancePolicy.NEAREST, TimePolicy.CLOSEST
TICK = timedelta(microseconds=1)
Region = tuple[tuple[timedelta, timedelta | None], tuple[float, float]]
"""From and to, after noon; distances in mm."""

BEFORE: Region = ((timedelta(0), 1 * DAY), (100.0, 200.0))
AFTER: Region = ((3 * DAY, 4 * DAY), (100.0, 200.0))
LATE_AFTER: Region = ((3 * DAY + HOUR, 4 * DAY), (100.0, 200.0))


def certify(store: Store, regions: tuple[Region, ...]) -> dict[Region, int]:
    """Certify a calibration for each region, in this order; returns the numbers."""
    numbers = {}
    for seed, region in enumerate(regions, start=1):
        one, _ = store.calibrations.add(calibration(seed=seed), (None, None), stamp())
        (start, end), distances_mm = region
        given = certification(
            one, NOON + start, None if end is None else NOON + end, distances_mm=distances_mm
        )
        numbers[region] = store.certifications.certify(
            replace(given, gap_mm=100.0), supersede=True
        ).number
    return numbers


@pytest.mark.parametrize("regions", list(permutations((BEFORE, AFTER, LATE_AFTER))))
def test_of_certifications_equally_close_in_time_the_latest_recorded_applies(
    store: Store, stored: StoredCalibration, regions: tuple[Region, ...]
) -> None:
    """Whether it lies before or after the data; one further away never does."""
    numbers = certify(store, regions)
    latest = max(numbers[BEFORE], numbers[AFTER])
    answer = store.resolve(SERIAL, NOON + 2 * DAY, 150.0, time_policy=CLOSEST, explain=True)
    assert answer.certification.number == latest
    assert answer.time_gap == DAY
    lost = {one.certification.number: one.lost for one in answer.candidates}
    equally_close = min(numbers[BEFORE], numbers[AFTER])
    assert lost == {
        numbers[LATE_AFTER]: "begins 25 hours later",
        equally_close: f"certification {latest} was recorded later",
    }


@pytest.mark.parametrize("swapped", [False, True])
def test_the_excluded_end_is_one_microsecond_away_like_the_instant_before_a_start(
    store: Store, stored: StoredCalibration, swapped: bool
) -> None:
    ending: Region = ((timedelta(0), DAY), (100.0, 200.0))
    beginning: Region = ((DAY + TICK, 2 * DAY), (100.0, 200.0))
    numbers = certify(store, (beginning, ending) if swapped else (ending, beginning))
    with pytest.raises(NotFoundError):
        store.resolve(SERIAL, NOON + DAY, 150.0)
    answer = store.resolve(SERIAL, NOON + DAY, 150.0, time_policy=CLOSEST)
    assert answer.certification.number == max(numbers.values())
    assert answer.time_gap == TICK


@pytest.mark.parametrize("swapped", [False, True])
def test_of_certifications_equally_near_in_distance_the_latest_recorded_applies(
    store: Store, stored: StoredCalibration, swapped: bool
) -> None:
    nearer: Region = ((timedelta(0), None), (100.0, 200.0))
    farther: Region = ((timedelta(0), None), (300.0, 400.0))
    numbers = certify(store, (farther, nearer) if swapped else (nearer, farther))

    def number(distance_mm: float) -> int:
        found = store.resolve(SERIAL, NOON + DAY, distance_mm, distance_policy=NEAREST)
        return found.certification.number

    assert number(250.0) == max(numbers.values())
    assert (number(249.9), number(250.1)) == (numbers[nearer], numbers[farther])
    assert (number(200.0), number(299.9)) == (numbers[nearer], numbers[farther])

    def lost(distance_mm: float) -> str:
        found = store.resolve(
            SERIAL, NOON + DAY, distance_mm, distance_policy=NEAREST, explain=True
        )
        (other,) = found.candidates
        return other.lost

    assert lost(250.0) == f"certification {max(numbers.values())} was recorded later"
    assert lost(240.0) == "the distance is 60 mm outside its range"


@pytest.mark.parametrize("swapped", [False, True])
def test_closeness_in_time_comes_before_nearness_in_distance(
    store: Store, stored: StoredCalibration, swapped: bool
) -> None:
    """The one that ended earlier lost for that alone: its distance is the nearer one."""
    close: Region = ((timedelta(0), 2 * DAY), (200.0, 300.0))
    near: Region = ((timedelta(0), DAY), (100.0, 155.0))
    numbers = certify(store, (near, close) if swapped else (close, near))
    answer = store.resolve(
        SERIAL, NOON + 3 * DAY, 160.0, time_policy=CLOSEST, distance_policy=NEAREST, explain=True
    )
    assert answer.certification.number == numbers[close]
    assert (answer.time_gap, answer.distance_gap_mm) == (DAY, 40.0)
    (other,) = answer.candidates
    assert other.lost == "ended 2 days earlier"


def test_of_certifications_equally_close_in_time_the_nearer_distance_applies(
    store: Store, stored: StoredCalibration
) -> None:
    far: Region = ((timedelta(0), DAY), (200.0, 300.0))
    numbers = certify(store, (BEFORE, far))
    answer = store.resolve(
        SERIAL, NOON + 3 * DAY, 199.0, time_policy=CLOSEST, distance_policy=NEAREST, explain=True
    )
    assert answer.certification.number == numbers[BEFORE]
    (other,) = answer.candidates
    assert other.lost == "the distance is 1 mm outside its range"


def test_a_refused_certification_loses_for_the_bounds_that_its_policy_holds(
    store: Store, stored: StoredCalibration
) -> None:
    """Bounds that the query relaxes are no reason."""
    covering: Region = ((2 * DAY, None), (100.0, 400.0))
    elsewhere: Region = ((timedelta(0), DAY), (100.0, 130.0))
    numbers = certify(store, (covering, elsewhere))

    def lost(distance_mm: float, distance: DistancePolicy, time: TimePolicy) -> str:
        answer = store.resolve(
            SERIAL,
            NOON + 2 * DAY,
            distance_mm,
            distance_policy=distance,
            time_policy=time,
            explain=True,
        )
        assert answer.certification.number == numbers[covering]
        (other,) = answer.candidates
        return other.lost

    late, far = "ended 24 hours earlier", "the distance is {} mm outside its range"
    assert lost(150.0, DistancePolicy.EXACT, TimePolicy.PRIOR) == f"{late} and {far.format(20)}"
    assert lost(150.0, DistancePolicy.EXACT, CLOSEST) == far.format(20)
    assert lost(150.0, NEAREST, TimePolicy.PRIOR) == late
    assert lost(250.0, NEAREST, TimePolicy.PRIOR) == f"{late} and {far.format(120)}"


def test_a_distance_just_outside_a_range_is_given_as_the_reason(
    store: Store, stored: StoredCalibration
) -> None:
    covering: Region = ((timedelta(0), None), (100.0, 200.0))
    beside: Region = ((timedelta(0), None), (150.5, 200.0))
    numbers = certify(store, (beside, covering))
    answer = store.resolve(SERIAL, NOON + DAY, 150.0, explain=True)
    assert answer.certification.number == numbers[covering]
    (other,) = answer.candidates
    assert other.lost == "the distance is 0.5 mm outside its range"
    assert store.resolve(SERIAL, NOON + DAY, 150.0).candidates == ()


def test_a_withdrawn_or_later_recorded_certification_is_never_the_closest(
    store: Store, stored: StoredCalibration
) -> None:
    numbers = certify(store, (BEFORE, AFTER))
    at = NOON + 2 * DAY

    def number(known: int | None) -> int:
        found = store.resolve(SERIAL, at, 150.0, time_policy=CLOSEST, as_known_at=known)
        return found.certification.number

    assert [number(known) for known in (numbers[BEFORE], None)] == list(numbers.values())
    store.certifications.withdraw(numbers[AFTER], "no", stamp())
    assert number(None) == numbers[BEFORE]
    assert number(numbers[AFTER]) == numbers[AFTER]


def test_each_policy_relaxes_only_its_own_bounds(store: Store, stored: StoredCalibration) -> None:
    """The policy for distances does not admit other times, nor the other way round; the greatest
    distance and the end of a certification are outside it."""
    certify(store, (BEFORE,))
    early, late = NOON + DAY - TICK, NOON + DAY
    assert store.resolve(SERIAL, early, 200.0, distance_policy=NEAREST).distance_gap_mm > 0.0
    assert store.resolve(SERIAL, late, 199.0, time_policy=CLOSEST).time_gap == TICK
    for at, distance_mm in ((late, 150.0), (late, 200.0), (NOON - TICK, 150.0)):
        with pytest.raises(NotFoundError):
            store.resolve(SERIAL, at, distance_mm, distance_policy=NEAREST)
    for at, distance_mm in ((early, 200.0), (late, 200.0), (early, 99.0)):
        with pytest.raises(NotFoundError):
            store.resolve(SERIAL, at, distance_mm, time_policy=CLOSEST)


def test_an_open_end_is_warned_of_from_the_last_measurement_or_the_start(
    store: Store, stored: StoredCalibration
) -> None:
    """Whichever is later: the calibration was measured at noon."""
    early = certification(stored, NOON - 100 * DAY)
    number = store.certifications.certify(early).number

    def warned(days: int) -> bool:
        return store.resolve(SERIAL, NOON + days * DAY, 150.0).warnings != ()

    assert [warned(days) for days in (100, 180, 181)] == [False, False, True]
    store.certifications.withdraw(number, "no", stamp())
    store.certifications.certify(certification(stored, NOON + 50 * DAY))
    assert [warned(days) for days in (181, 230, 231)] == [False, False, True]


def test_only_data_newer_than_what_is_known_are_warned_of(
    store: Store, stored: StoredCalibration
) -> None:
    word = store.certifications.certify(certification(stored, NOON - DAY))
    at = word.recorded.at
    for when, warned in ((at - HOUR, 0), (at, 0), (at + TICK, 1)):
        assert len(store.resolve(SERIAL, when, 150.0, as_known_at=word.number).warnings) == warned
        assert store.resolve(SERIAL, when, 150.0).warnings == ()


def test_an_answer_outside_the_certified_distances_or_times_is_warned_of(
    store: Store, stored: StoredCalibration
) -> None:
    """With the distance to the region, and on which side of the time it lies."""
    certify(store, (BEFORE,))

    def warned(at: timedelta, distance_mm: float) -> tuple[str, ...]:
        when = NOON + at
        found = store.resolve(
            SERIAL, when, distance_mm, time_policy=CLOSEST, distance_policy=NEAREST
        )
        return found.warnings

    name = f"{SERIAL}:2"
    beyond = f"outside the range that {name} is certified for."
    assert warned(HOUR, 150.0) == ()
    assert warned(HOUR, 100.0) == ()
    assert warned(HOUR, 250.0) == (f"the distance is 50 mm {beyond}",)
    assert warned(HOUR, 90.0) == (f"the distance is 10 mm {beyond}",)
    assert warned(HOUR, 99.5) == (f"the distance is 0.5 mm {beyond}",)
    early, late = warned(-HOUR, 150.0), warned(DAY + HOUR, 150.0)
    assert early == (
        f"{name} is not certified for this time: it begins 60 minutes after the data.",
    )
    assert late == (f"{name} is not certified for this time: it ended 60 minutes before the data.",)
    assert len(warned(-HOUR, 250.0)) == 2


def test_the_answer_has_the_reach_that_its_certification_has_in_distance(
    store: Store, stored: StoredCalibration
) -> None:
    given = certification(stored, NOON, NOON + DAY)
    store.certifications.certify(replace(given, gap_mm=12.5))
    store.certifications.certify(certification(stored, NOON + DAY))
    found = [store.resolve(SERIAL, NOON + n * DAY, 150.0).certification.gap_mm for n in (0, 1)]
    assert found == [12.5, 0.0]
