"""How many independent occasions the times of datasets are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from calib.model.experiment.occasions import independent_occasions, occasions_of

NIGHT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def test_datasets_of_one_night_are_one_occasion() -> None:
    assert independent_occasions([NIGHT, NIGHT + timedelta(minutes=4)]) == 1
    assert independent_occasions([NIGHT + k * timedelta(hours=11) for k in range(3)]) == 1


def test_each_night_is_an_occasion_whatever_the_order() -> None:
    nights = [NIGHT + k * timedelta(days=1) for k in (2, 0, 1)]
    assert independent_occasions(nights) == 3
    assert independent_occasions([NIGHT, NIGHT + timedelta(hours=12)]) == 2


def test_unknown_times_count_as_one_occasion() -> None:
    assert independent_occasions([]) == 1


def test_datasets_are_numbered_by_occasion_in_the_order_of_time() -> None:
    later = NIGHT + timedelta(days=3)
    assert occasions_of([later, NIGHT, later + timedelta(hours=1)]) == (1, 0, 1)


def test_one_dataset_of_unknown_time_leaves_all_occasions_unknown() -> None:
    assert occasions_of([NIGHT, None]) is None
    assert occasions_of([]) == ()
