"""Which certification applies where, and what a further one or a withdrawal would change.

A certification covers a region: valid time [from, to) x distance [min, max). At any point the last
recorded one that is not withdrawn applies, so regions are cut into parts by the one that applies.
``active`` are always the certifications of one detector that are not withdrawn, newest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import combinations, pairwise

from calib.errors import InputError
from calib.model.base.bounds import EXTENT_MM
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, Validity


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of points (time, distance), half-open in both."""

    validity: Validity
    distances: DistanceRange

    def overlap(self, other: Region) -> Region | None:
        """The points in both; None if there are none."""
        start = max(self.validity.start, other.validity.start)
        end = _earlier(self.validity.end, other.validity.end)
        minimum = max(self.distances.minimum_mm, other.distances.minimum_mm)
        maximum = min(self.distances.maximum_mm, other.distances.maximum_mm)
        if (end is not None and end <= start) or maximum <= minimum:
            return None
        return Region(Validity(start, end), DistanceRange(minimum, maximum))

    def minus(self, other: Region) -> list[Region]:
        """The points not in ``other``, as at most four regions: before, after, nearer, farther."""
        shared = self.overlap(other)
        if shared is None:
            return [self]
        rest = []
        if self.validity.start < shared.validity.start:
            rest.append(
                Region(Validity(self.validity.start, shared.validity.start), self.distances)
            )
        if shared.validity.end is not None and shared.validity.end != self.validity.end:
            later = Validity(shared.validity.end, self.validity.end)
            rest.append(Region(later, self.distances))
        here, there = self.distances, shared.distances
        if here.minimum_mm < there.minimum_mm:
            nearer = DistanceRange(here.minimum_mm, there.minimum_mm)
            rest.append(Region(shared.validity, nearer))
        if there.maximum_mm < here.maximum_mm:
            farther = DistanceRange(there.maximum_mm, here.maximum_mm)
            rest.append(Region(shared.validity, farther))
        return rest


@dataclass(frozen=True, slots=True)
class Change:
    """A region in which another calibration applies than before; None: none applies."""

    region: Region
    before: Certification | None
    after: Certification | None


REACH = 2.0
"""Default range of distances: from the shortest divided by this factor to the longest times this
factor, rounded outwards to mm."""


def default_range(distances_mm: Sequence[float]) -> DistanceRange:
    """The distances for which a calibration from data at these distances is certified by default;
    they are in ascending order."""
    return DistanceRange(
        float(math.floor(distances_mm[0] / REACH)),
        min(float(math.ceil(distances_mm[-1] * REACH)), EXTENT_MM.maximum),
    )


def region_of(certification: Certification) -> Region:
    """The region that a certification covers."""
    return Region(certification.validity, certification.distances)


def live(certifications: Iterable[Certification]) -> list[Certification]:
    """The certifications that are not withdrawn, newest first."""
    there = [one for one in certifications if one.withdrawn is None]
    return sorted(there, key=lambda one: -one.number)


def answers_over(
    region: Region, active: Iterable[Certification]
) -> list[tuple[Region, Certification | None]]:
    """Cut the region into disjoint parts, each with the certification that applies to all of it.

    ``active`` is consumed only as far as needed.
    """
    answered: list[tuple[Region, Certification | None]] = []
    left = [region]
    for one in active:
        covered = region_of(one)
        shared = (part.overlap(covered) for part in left)
        answered += [(part, one) for part in shared if part is not None]
        left = [rest for part in left for rest in part.minus(covered)]
        if not left:
            break
    return answered + [(part, None) for part in left]


def answering(claims: Iterable[tuple[int, Region]]) -> set[int]:
    """The numbers of the certifications that apply at some point, given what each covers.

    Between neighbouring bounds of distance the answer depends on time alone; there one sweep over
    starts and ends finds the latest recorded certification with a heap.
    """
    by_start = sorted(claims, key=lambda claim: claim[1].validity.start)
    ranges = [region.distances for _, region in by_start]
    bounds = sorted({one.minimum_mm for one in ranges} | {one.maximum_mm for one in ranges})
    found: set[int] = set()
    before: list[tuple[int, Validity]] = []
    for nearest, farthest in pairwise(bounds):
        here = [
            (number, region.validity)
            for number, region in by_start
            if region.distances.minimum_mm <= nearest and farthest <= region.distances.maximum_mm
        ]
        if here != before:
            found |= _answering_in_turn(here)
        before = here
    return found


def _answering_in_turn(by_start: Sequence[tuple[int, Validity]]) -> set[int]:
    """The same if only time matters."""
    times = {held.start for _, held in by_start}
    times |= {held.end for _, held in by_start if held.end is not None}
    found, begun = set(), 0
    latest: list[tuple[int, datetime | None]] = []  # a heap of negated numbers
    for instant in sorted(times):
        while begun < len(by_start) and by_start[begun][1].start <= instant:
            number, held = by_start[begun]
            heappush(latest, (-number, held.end))
            begun += 1
        while latest and latest[0][1] is not None and latest[0][1] <= instant:
            heappop(latest)
        if latest:
            found.add(-latest[0][0])
    return found


def holding(certifications: Iterable[Certification], period: Validity) -> list[Certification]:
    """The certifications that apply at some instant of the period and some distance, the latest
    recorded first."""
    asked = Region(period, DistanceRange(0.0, math.inf))
    active = live(certifications)
    parts = ((one.number, region_of(one).overlap(asked)) for one in active)
    found = answering((number, part) for number, part in parts if part is not None)
    return [one for one in active if one.number in found]


def changes_by_certifying(new: Certification, active: Iterable[Certification]) -> list[Change]:
    """Where another calibration applies once ``new`` is recorded after all others."""
    found = [
        Change(part, before, new)
        for part, before in answers_over(region_of(new), active)
        if before is None or before.calibration_id != new.calibration_id
    ]
    return _merged(found)


def changes_by_withdrawing(numbers: Iterable[int], active: Sequence[Certification]) -> list[Change]:
    """Where another calibration applies, or none, once these numbers are withdrawn."""
    gone = set(numbers)
    kept = [one for one in active if one.number not in gone]
    found = [
        Change(part, before, after)
        for lost in active
        if lost.number in gone
        for piece, before in answers_over(region_of(lost), active)
        if before is not None and before.number == lost.number
        for part, after in answers_over(piece, kept)
        if after is None or after.calibration_id != before.calibration_id
    ]
    return _merged(found)


def is_succession(change: Change) -> bool:
    """Whether a certification succeeds another in the usual way: none applied before, or an
    open-ended one that began earlier."""
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return before.validity.end is None and after.validity.start > before.validity.start


def refuse_same(new: Certification, others: Iterable[Certification]) -> None:
    """Raise ``InputError`` (``certified-already``) where one of the others, which are in force, is
    of the same calibration, times, distances and extrapolation limit.

    It is to be called where the new certification would change no answer.
    """
    for one in others:
        if _region(one) == _region(new):
            raise InputError(
                "certified-already",
                f"{new.serial}:{new.version} is certified so already (certification {one.number}, "
                f"by {one.recorded.actor}: {one.reason}).",
                remedy=f"calib show {new.serial}:{new.version} lists its certifications.",
            )


def _region(one: Certification) -> tuple[object, ...]:
    return one.calibration_id, one.validity, one.distances, one.gap_mm


def _merged(changes: Sequence[Change]) -> list[Change]:
    """The changes with adjacent parts merged into rectangles, in order of time and distance."""
    parts = sorted(changes, key=_place)
    pair = _first_pair(parts)
    while pair is not None:
        first, second, joined = pair
        rest = [part for index, part in enumerate(parts) if index not in (first, second)]
        parts = sorted([*rest, joined], key=_place)
        pair = _first_pair(parts)
    return parts


def _first_pair(parts: Sequence[Change]) -> tuple[int, int, Change] | None:
    for first, second in combinations(range(len(parts)), 2):
        joined = _joined(parts[first], parts[second])
        if joined is not None:
            return first, second, joined
    return None


def _joined(one: Change, other: Change) -> Change | None:
    if one.before is not other.before or one.after is not other.after:
        return None
    a, b = one.region, other.region
    if a.distances == b.distances and a.validity.end == b.validity.start:
        validity = Validity(a.validity.start, b.validity.end)
        return Change(Region(validity, a.distances), one.before, one.after)
    if a.validity == b.validity and a.distances.maximum_mm == b.distances.minimum_mm:
        distances = DistanceRange(a.distances.minimum_mm, b.distances.maximum_mm)
        return Change(Region(a.validity, distances), one.before, one.after)
    return None


def _place(change: Change) -> tuple[datetime, float]:
    return change.region.validity.start, change.region.distances.minimum_mm


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change of certifications alters, and how many files that concerns."""

    changes: tuple[Change, ...]
    """Regions where the answer changes, in order of time and distance."""
    affected: int
    """Number of recorded applications at points whose answer changes."""
