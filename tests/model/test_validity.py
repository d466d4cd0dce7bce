"""Half-open intervals of time and distance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.model.base.canonical import instant_from
from calib.model.store.validity import DistanceRange, Validity, duration, utc

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSTANTS = st.integers(0, 4 * 10**15).map(instant_from)
DISTANCES = st.floats(0.0, 1e4)


@given(INSTANTS, st.timedeltas(timedelta(microseconds=1), timedelta(days=9999)))
def test_the_start_belongs_to_an_interval_and_the_end_does_not(
    start: datetime, length: timedelta
) -> None:
    interval = Validity(start, start + length)
    assert start in interval
    assert start + length - timedelta(microseconds=1) in interval
    assert start + length not in interval
    assert start - timedelta(microseconds=1) not in interval


@given(INSTANTS, INSTANTS, INSTANTS)
def test_adjacent_intervals_share_no_instant_and_leave_none_out(
    a: datetime, b: datetime, instant: datetime
) -> None:
    start, middle = min(a, b), max(a, b)
    if start == middle:
        return
    first, second = Validity(start, middle), Validity(middle, None)
    assert (instant in first) + (instant in second) == (instant >= start)


def test_an_open_interval_never_ends() -> None:
    assert datetime.max.replace(tzinfo=UTC) in Validity(NOON, None)


def test_an_interval_is_kept_in_utc() -> None:
    summer = timezone(timedelta(hours=1))
    interval = Validity(datetime(2026, 3, 1, 13, tzinfo=summer), None)
    assert interval.start == NOON
    assert interval.start.tzinfo is UTC
    assert interval == Validity(NOON, None)


def test_an_empty_interval_is_refused() -> None:
    for end in (NOON, NOON - timedelta(seconds=1)):
        with pytest.raises(InputError, match="is an empty interval"):
            Validity(NOON, end)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - the point of the test
    with pytest.raises(InputError, match=r"has no time zone\. Try: give an offset"):
        utc(naive)
    with pytest.raises(InputError, match="has no time zone"):
        Validity(naive, None)


@given(DISTANCES, DISTANCES, DISTANCES)
def test_a_distance_range_is_half_open(a: float, b: float, distance: float) -> None:
    low, high = min(a, b), max(a, b)
    if low == high:
        with pytest.raises(InputError, match="is empty"):
            DistanceRange(low, high)
        return
    reach = DistanceRange(low, high)
    assert low in reach
    assert high not in reach
    assert (distance in reach) == (low <= distance < high)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 5.0), (5.0, 4.0), (float("nan"), 5.0), (1.0, float("nan"))]
)
def test_a_range_that_holds_no_distance_is_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match="is empty"):
        DistanceRange(low, high)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(minutes=3), "3 minutes"),
        (timedelta(hours=2.5), "2.5 hours"),
        (timedelta(days=123.4), "123 days"),
        (timedelta(days=100), "100 days"),
        (timedelta(days=999.4), "999 days"),
        (timedelta(days=999.6), "1000 days"),
        (timedelta(days=1000), "1000 days"),
        (timedelta(days=3656.6), "3657 days"),
        (timedelta(days=2912382.6), "2912383 days"),
    ],
)
def test_a_duration_is_shown_in_readable_figures(gap: timedelta, words: str) -> None:
    assert duration(gap) == words
