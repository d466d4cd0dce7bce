"""Regions are cut into parts that cover them exactly; any set of points can be described by few."""

from __future__ import annotations

import itertools
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from calib.model.store.certification_rules import Region
from calib.model.store.validity import DistanceRange, Validity
from support.records import HOUR, NOON

HOURS, TENS = range(7), range(6)
EVER = 100


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """A rectangle on a small lattice, often without an end."""
    start, low = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    length = draw(st.none() | st.integers(1, 3))
    end = None if length is None else NOON + (start + length) * HOUR
    high = low + draw(st.integers(1, 3))
    return Region(Validity(NOON + start * HOUR, end), DistanceRange(10.0 * low, 10.0 * high))


def points(*found: Region) -> list[tuple[datetime, float]]:
    lattice = itertools.product([NOON + hour * HOUR for hour in (*HOURS, EVER)], TENS)
    return [
        (at, tens)
        for at, tens in lattice
        for region in found
        if at in region.validity and 10.0 * tens in region.distances
    ]


@given(regions(), regions())
def test_an_overlap_is_what_both_cover(one: Region, other: Region) -> None:
    shared = one.overlap(other)
    both = [point for point in points(one) if point in points(other)]
    assert (points(shared) if shared is not None else []) == both
    assert shared == other.overlap(one)


@given(regions(), regions())
def test_what_is_left_is_covered_once_and_the_rest_not_at_all(one: Region, other: Region) -> None:
    left = points(*one.minus(other))
    assert sorted(left) == [point for point in points(one) if point not in points(other)]
    assert len(one.minus(other)) <= 4
