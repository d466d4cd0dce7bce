"""The records of one detector, as a plain list.

Every certification is kept as numbers on a lattice (hours, tens of mm), and questions are answered
by going through all of them, point by point.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from calib.model.store.record import State

EVER = 1_000
"""An hour after all others: what is valid then is valid for ever."""
HOURS = (*range(13), EVER)
TENS = range(13)


class Point(NamedTuple):
    """A point of the lattice, or the last instant or the largest distance before it."""

    hour: int
    just_before: bool
    tens: int
    just_nearer: bool = False

    @property
    def place(self) -> tuple[float, float]:
        """Hours and tens of mm."""
        return self.hour - 1e-9 * self.just_before, self.tens - 1e-9 * self.just_nearer


@dataclass(eq=False)
class Word:
    """A certification as the model knows it: hours, tens of mm."""

    number: int
    version: int
    start: int
    end: int | None
    low: int
    high: int
    gap: int
    withdrawn: int | None = None

    def covers(self, hour: float, tens: float) -> bool:
        return (
            self.start <= hour
            and (self.end is None or hour < self.end)
            and self.low <= tens < self.high
        )


def corners(words: Iterable[Word]) -> list[Point]:
    """The corners of these rectangles, each from its four sides; none below a distance of 0."""
    return sorted(
        {
            Point(hour, before, tens, nearer)
            for word in words
            for hour in (word.start, EVER if word.end is None else word.end)
            for tens in (word.low, word.high)
            for before in (False, True)
            for nearer in ((False, True) if tens else (False,))
        }
    )


class PlainList:
    """The calibrations and certifications of a detector."""

    versions: list[tuple[str, bool, int, Any]]
    """Of each calibration its id, whether it was accepted, its position, and its record."""
    words: list[Word]
    relabelled: dict[int, int]
    """The versions that were recorded under another serial, and the positions of that."""

    def holding(self, hour: float, tens: float, known: int | None = None) -> list[Word]:
        """All that hold at a point, the latest recorded last; as known at a position."""
        found = []
        for word in self.words:
            there = known is None or word.number <= known
            gone = word.withdrawn is not None and (known is None or word.withdrawn <= known)
            if there and not gone and word.covers(hour, tens):
                found.append(word)
        return found

    def answer(self, hour: float, tens: float, known: int | None = None) -> Word | None:
        return next(reversed(self.holding(hour, tens, known)), None)

    def points(self) -> Iterator[tuple[int, int]]:
        return itertools.product(HOURS, TENS)

    def answers(self) -> dict[tuple[int, int], int]:
        """The version that answers at each point of the lattice."""
        found = {point: self.answer(*point) for point in self.points()}
        return {point: word.version for point, word in found.items() if word is not None}

    def states(self, known: int) -> dict[int, State]:
        answering = {self.answer(*point, known) for point in self.points()}
        found = {}
        for version, (_, accepted, position, _) in enumerate(self.versions, start=1):
            mine = [w for w in self.words if w.version == version and w.number <= known]
            if position > known:
                continue
            if self.relabelled.get(version, known + 1) <= known:
                found[version] = State.WITHDRAWN
            elif not mine:
                found[version] = State.ACCEPTED if accepted else State.DRAFT
            elif all(w.withdrawn is not None and w.withdrawn <= known for w in mine):
                found[version] = State.WITHDRAWN
            elif any(w in answering for w in mine):
                found[version] = State.CERTIFIED
            else:
                found[version] = State.SUPERSEDED
        return found

    def holds_everywhere(self, new: Word) -> bool:
        """Whether the same is recorded already, and answers wherever it holds."""
        same = (new.version, new.start, new.end, new.low, new.high, new.gap)
        if not any(
            (w.version, w.start, w.end, w.low, w.high, w.gap) == same and w.withdrawn is None
            for w in self.words
        ):
            return False
        answers = [self.answer(*point) for point in self.points() if new.covers(*point)]
        return all(word is not None and word.version == new.version for word in answers)

    def overlaps(self, new: Word) -> bool:
        for point in self.points():
            there = self.answer(*point) if new.covers(*point) else None
            if there is None or there.version == new.version:
                continue
            if there.end is not None or new.start <= there.start:
                return True
        return False
