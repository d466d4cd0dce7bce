"""What was said of one detector, as a plain list.

Every certification is kept as numbers on a lattice (hours, tens of mm), and questions are answered
by going through all of them, point by point.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from calib.model.store.record import State

EVER = 1_000
"""An hour after all others: what holds there holds for ever."""
HOURS = (*range(13), EVER)
TENS = range(13)


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


class PlainList:
    """The calibrations and certifications of a detector."""

    versions: list[tuple[str, bool, int, Any]]
    """Of each calibration its id, whether it was accepted, its position, and its record."""
    words: list[Word]

    def answer(self, hour: float, tens: float, known: int | None = None) -> Word | None:
        found = None
        for word in self.words:
            there = known is None or word.number <= known
            gone = word.withdrawn is not None and (known is None or word.withdrawn <= known)
            if there and not gone and word.covers(hour, tens):
                found = word
        return found

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
            if not mine:
                found[version] = State.ACCEPTED if accepted else State.DRAFT
            elif all(w.withdrawn is not None and w.withdrawn <= known for w in mine):
                found[version] = State.WITHDRAWN
            elif any(w in answering for w in mine):
                found[version] = State.CERTIFIED
            else:
                found[version] = State.SUPERSEDED
        return found

    def overlaps(self, new: Word) -> bool:
        for point in self.points():
            there = self.answer(*point) if new.covers(*point) else None
            if there is None or there.version == new.version:
                continue
            if there.end is not None or new.start <= there.start:
                return True
        return False
