"""What held in a period, and at all, against the definition point by point."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from calib.model.store.certification_rules import answering, holding, live, region_of
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, Validity
from support.records import DAY, NOON, stamp

TICK = timedelta(microseconds=1)
LAST = 6


def instant(day: int) -> Validity:
    return Validity(NOON + day * DAY, NOON + day * DAY + TICK)


@st.composite
def words(draw: st.DrawFn) -> list[Certification]:
    """Certifications on a small grid of days and distances, some withdrawn."""
    found = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        start, low = draw(st.integers(0, LAST - 1)), draw(st.integers(0, LAST - 1))
        end = draw(st.none() | st.integers(start + 1, LAST))
        high = draw(st.integers(low + 1, LAST))
        later = draw(st.none() | st.integers(number + 1, 20))
        found.append(
            Certification(
                number=number,
                calibration_id="ab" * 32,
                serial="24-0107",
                version=number,
                validity=Validity(NOON + start * DAY, None if end is None else NOON + end * DAY),
                distances=DistanceRange(float(low), float(high)),
                reason="new",
                override="",
                recorded=stamp(NOON + number * DAY),
                withdrawn=None if later is None else stamp(NOON + later * DAY),
                withdrawn_reason="" if later is None else "wrong",
            )
        )
    return found


def answer(given_words: list[Certification], day: int, distance: int) -> int | None:
    """The definition: the latest recorded one that covers the point and is not withdrawn."""
    covering = [
        one.number
        for one in given_words
        if one.withdrawn is None
        and NOON + day * DAY in one.validity
        and float(distance) in one.distances
    ]
    return max(covering, default=None)


@given(found=words(), start=st.integers(0, LAST - 1), length=st.integers(1, LAST))
def test_what_held_in_a_period_is_what_answered_at_any_of_its_points(
    found: list[Certification], start: int, length: int
) -> None:
    period = Validity(NOON + start * DAY, NOON + (start + length) * DAY)
    points = {
        answer(found, day, distance)
        for day in range(start, start + length)
        for distance in range(LAST)
    } - {None}
    held = [one.number for one in holding(found, period)]
    assert set(held) == points
    assert held == sorted(held, reverse=True)


@given(found=words())
def test_those_that_answer_anywhere_are_those_that_answer_at_some_point(
    found: list[Certification],
) -> None:
    points = {answer(found, day, distance) for day in range(LAST + 1) for distance in range(LAST)}
    claims = [(one.number, region_of(one)) for one in live(found)]
    assert answering(claims) == points - {None}
    assert answering(reversed(claims)) == points - {None}
