"""Where the lattice of the plain list is: in the middle of what can be recorded, or at its
bounds, a microsecond and the next number apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from calib.model.base.bounds import DISTANCE_MM, EXTENT_MM, FIRST_INSTANT, LAST_INSTANT
from calib.model.store.certification_rules import Consequences
from support.plain_list import EVER, PlainList
from support.records import HOUR, NOON

TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Scale:
    """Where hours and tens of mm of the list are."""

    instants: Mapping[int, datetime]
    mm: Mapping[int, float]
    gap_mm: Mapping[int, float]


def steps(start: float, towards: float, count: int) -> list[float]:
    """A number and those that follow it."""
    found = [start]
    for _ in range(count - 1):
        found.append(math.nextafter(found[-1], towards))
    return found


LONGEST_MM = EXTENT_MM.maximum
USUAL = Scale(
    {hour: NOON + hour * HOUR for hour in (*range(16), EVER)},
    {tens: 10.0 * tens for tens in range(14)},
    {gap: 10.0 * gap for gap in range(3)},
)
EXTREME = Scale(
    dict(
        zip(
            (*range(16), EVER),
            [
                *(FIRST_INSTANT + number * TICK for number in range(7)),
                NOON - TICK,
                NOON,
                *(LAST_INSTANT + number * TICK for number in range(-6, 1)),
                LAST_INSTANT + HOUR,
            ],
            strict=True,
        )
    ),
    dict(
        enumerate(
            [
                0.0,
                *steps(DISTANCE_MM.minimum, 1.0, 4),
                150.0,
                *steps(LONGEST_MM, 0.0, 8)[::-1],
            ]
        )
    ),
    {0: 0.0, 1: DISTANCE_MM.minimum, 2: LONGEST_MM},
)


class ScaledList(PlainList):
    """A plain list whose hours and tens of mm are those of a scale."""

    scale: Scale

    def at(self, hour: int) -> datetime:
        return self.scale.instants[hour]

    def nearest(self, hour: int, tens: int, *, nearest: bool, closest: bool) -> int | None:
        """The number of the certification that the policies choose."""
        at, mm = self.at(hour), self.scale.mm
        ranked = []
        for word in self.words:
            if word.withdrawn is not None:
                continue
            early = self.at(word.start) - at
            late = timedelta.min if word.end is None else at - self.at(word.end)
            off = max(early, late, timedelta()) if late else TICK
            near, far = mm[word.low] - mm[tens], mm[tens] - mm[word.high]
            off_mm = max(near, far, 0.0) if far else math.ulp(mm[tens])
            limit_mm = self.scale.gap_mm[word.gap] if nearest else 0.0
            if (not off or closest) and off_mm <= limit_mm:
                ranked.append((off, off_mm, -word.number))
        return -min(ranked)[2] if ranked else None

    def compare(self, consequences: Consequences, before: dict[tuple[int, int], int]) -> None:
        """That exactly the points whose answer changed were named, with both answers."""
        after = self.answers()
        changed = {
            point: (before.get(point), after.get(point))
            for point in self.points()
            if before.get(point) != after.get(point)
        }
        named: dict[tuple[int, int], tuple[int | None, int | None]] = {}
        for point in self.points():
            at, distance = self.at(point[0]), self.scale.mm[point[1]]
            for change in consequences.changes:
                if at in change.region.validity and distance in change.region.distances:
                    assert point not in named, "two regions name one point"
                    named[point] = (
                        None if change.before is None else change.before.version,
                        None if change.after is None else change.after.version,
                    )
        assert named == changed
