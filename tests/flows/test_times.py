"""Times given by users and files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.flows.shared.times import (
    future_warnings,
    instant_of_epoch,
    read_instant,
    read_moment,
    read_period,
    zone_named,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONDON = "Europe/London"


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-01", "UTC", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-07-01", LONDON, datetime(2026, 6, 30, 23, tzinfo=UTC)),
        ("2026-07-01T09:30", LONDON, datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("2026-07-01T09:30+00:00", LONDON, datetime(2026, 7, 1, 9, 30, tzinfo=UTC)),
        ("2026-07-01T09:30Z", "Asia/Tokyo", datetime(2026, 7, 1, 9, 30, tzinfo=UTC)),
        (" 2026-03-01 09:30:15 ", "UTC", datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC)),
        ("now", LONDON, NOW),
        (" NOW ", LONDON, NOW),
    ],
)
def test_a_time_without_an_offset_is_read_in_the_detectors_zone(
    text: str, zone: str, expected: datetime
) -> None:
    found = read_instant(text, zone, NOW)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "01.03.2026", "2026-03-01T25:00"])
def test_text_that_is_not_a_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_instant(text, "UTC", NOW)
    assert caught.value.problem == f"{text!r} is not a date or time."
    assert "2026-03-01T09:30" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "code"),
    [("2026-10-25T01:30", "ambiguous-time"), ("2026-03-29 01:30:00", "skipped-time")],
)
def test_a_local_time_that_occurs_twice_or_never_needs_an_offset(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_instant(text, LONDON, NOW)
    assert caught.value.code == code
    offered = caught.value.remedy.removeprefix("add an offset: ").removesuffix(".").split(" or ")
    assert [option.removeprefix(text) for option in offered] in (
        ["+01:00", "+00:00"],
        ["+00:00", "+01:00"],
    )
    found = {read_instant(option, LONDON, NOW) for option in offered}
    assert len(found) == 2


def test_a_day_that_starts_in_a_clock_change_starts_at_its_first_instant() -> None:
    assert read_instant("2018-11-04", "America/Sao_Paulo", NOW) == datetime(
        2018, 11, 4, 3, tzinfo=UTC
    )
    assert read_instant("2026-11-01", "America/Havana", NOW) == datetime(2026, 11, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "/UTC"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a time zone"):
        zone_named(name)


def test_an_epoch_is_the_local_time_of_the_site() -> None:
    """dxtbx turns local time into seconds as if it were UTC."""
    wall = datetime(2026, 7, 1, 9, 30, tzinfo=UTC).timestamp()
    assert instant_of_epoch(wall, "UTC") == datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
    assert instant_of_epoch(wall, LONDON) == datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    assert instant_of_epoch(wall, "America/Chicago") == datetime(2026, 7, 1, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("epoch", [None, 0, 0.0])
def test_an_epoch_of_zero_is_unknown(epoch: float | None) -> None:
    assert instant_of_epoch(epoch, "UTC") is None


@given(st.integers(1, 4_000_000_000))
def test_an_epoch_of_a_site_in_utc_is_the_instant_itself(seconds: int) -> None:
    found = instant_of_epoch(float(seconds), "UTC")
    assert found == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, 23, tzinfo=UTC)),
        ("2026-03-29", datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 23, tzinfo=UTC)),
        ("2026-03-01T09:30", NOW - timedelta(hours=2.5), NOW - timedelta(hours=2.5)),
        ("now", NOW, NOW),
    ],
)
def test_a_period_ends_where_the_next_one_begins(text: str, start: datetime, end: datetime) -> None:
    """In London, where the clocks go forward on 2026-03-29."""
    found = read_period(text, LONDON, NOW)
    tick = timedelta(microseconds=1) if start == end else timedelta()
    assert (found.start, found.end) == (start, end + tick)


def test_text_that_is_not_a_period_is_refused() -> None:
    for text in ("2026-13", "2026-02-30", "26-03", "9999"):
        with pytest.raises(InputError):
            read_period(text, "UTC", NOW)


def test_a_moment_of_the_log_is_a_position_or_a_time() -> None:
    assert read_moment("2026", "UTC", NOW) == 2026
    assert read_moment("2026-03-01T12:00Z", "UTC", NOW) == read_moment("now", "UTC", NOW) == NOW
    with pytest.raises(InputError):
        read_moment("9" * 19, "UTC", NOW)


def test_data_from_the_future_give_a_warning_but_a_fast_clock_does_not() -> None:
    assert future_warnings(NOW + timedelta(hours=14), NOW) == ()
    assert future_warnings(NOW - timedelta(days=9), NOW) == ()
    (warning,) = future_warnings(NOW + timedelta(days=3653), NOW)
    assert warning == "the data were taken in the future, 3653 days from now."
