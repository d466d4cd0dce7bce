"""Where a detector is at an instant: the placement with the latest start up to then."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import permutations

import pytest

from calib.errors import InputError
from calib.model.store.placement import BeamlinePlacement, placement_at
from support.records import DAY, NOON, SERIAL, stamp

TICK = timedelta(microseconds=1)


def placed(number: int, beamline: str, start: datetime = NOON) -> BeamlinePlacement:
    return BeamlinePlacement(number, SERIAL, beamline, start, "", stamp())


def test_a_placement_holds_from_its_start_until_the_next_one() -> None:
    first, second = placed(5, "I04"), placed(3, "I24", NOON + DAY)
    for order in permutations((first, second)):
        assert placement_at(order, NOON - TICK) is None
        assert placement_at(order, NOON) == placement_at(order, NOON + DAY - TICK) == first
        assert placement_at(order, NOON + DAY) == second
    assert placement_at([], NOON) is None


def test_of_equal_starts_the_placement_recorded_last_holds() -> None:
    wrong, right = placed(3, "I04"), placed(4, "I24")
    for order in permutations((wrong, right)):
        assert placement_at(order, NOON + DAY) == right


def test_a_placement_is_kept_in_utc_and_without_blanks() -> None:
    local = (NOON + timedelta(hours=1)).replace(tzinfo=timezone(timedelta(hours=1)))
    one = placed(0, " I04 ", local)
    assert (one.start, one.start.utcoffset()) == (NOON, timedelta(0))
    assert one.beamline == "I04"
    with pytest.raises(InputError, match="needs the name of a beamline"):
        placed(0, "  ")
