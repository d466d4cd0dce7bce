"""What a store does with the clocks of machines, which are wrong by up to centuries.

It follows from the times of its entries alone; nothing is shared with the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st

from calib.errors import InputError, StoreError
from calib.model.base.bounds import FIRST_INSTANT, LAST_INSTANT
from calib.store.store import Store
from support.records import DAY, HOUR, stamp
from support.scales import TICK

CENTURY = 36_525 * DAY
GAP = 400 * DAY
"""The longest time since the last entry, in a file; the default of the setting."""
TOLERANCE = CENTURY
"""Between the clock of the server and the times of changes."""
STEPS = st.sampled_from([timedelta(), HOUR, 2 * HOUR, -HOUR, CENTURY, -CENTURY, GAP, GAP + TICK])
"""Of the clock, since the last entry."""
BACK = st.sampled_from([HOUR, timedelta(), -HOUR, GAP, CENTURY])
"""By how much a correction is earlier than the last entry."""
CHECKED = st.sampled_from([False, False, True])
"""Whether the user compared the clock."""


class WrongClocks:
    """The clocks of the machines that write to a store, and the times of its entries."""

    store: Store
    sure: Store
    """The same, opened by a user who compared the clock."""
    server: bool
    times: set[datetime]
    """All times in the store."""
    asked: Counter[str]
    """How many questions were put at corners, and where how much holds; other figures."""
    last: datetime
    """The time of the last entry."""
    positions: list[tuple[int, datetime]]
    """Of the history: the position and the time of each entry."""

    def correct(self, at: datetime) -> None:
        """State that entries later than this have wrong times; the times then go on from here."""
        change = replace(stamp(at), reason="it was wrong")
        correct = self.sure.log.correct_clock
        if at >= self.last:
            with pytest.raises(InputError) as caught:
                correct(change)
            assert caught.value.code == "clock-right"
            return
        if self.refused(at, lambda: correct(change), True):
            return
        done = correct(change)
        entry = self.store.log.entries(last=1)[0]
        assert done.position == entry.position == done.last + 1
        assert done.latest == self.last
        self.recorded(at, corrected=True)

    def clock(self, step: timedelta) -> datetime:
        """The clock of a machine, this long after the last entry, within what can be recorded."""
        return min(max(self.last + step, FIRST_INSTANT), LAST_INSTANT)

    def opened(self, checked: bool) -> Store:
        return self.sure if checked else self.store

    def refused(self, at: datetime, record: Callable[[], object], checked: bool) -> bool:
        """Whether a change at this time by the clock is refused, as it must be."""
        if self.server:
            wrong = abs(at - datetime.now(UTC)) > TOLERANCE
        else:
            wrong = not checked and at - self.last > GAP
        if not wrong:
            return False
        self.asked["refused clocks"] += 1
        with pytest.raises(StoreError) as caught:
            record()
        assert caught.value.code == ("clock-differs" if self.server else "clock-jump")
        entry = self.store.log.entries(last=1)[0]
        assert entry.recorded.at == self.last
        return True

    def recorded(self, clock: datetime, *, corrected: bool = False, entries: int = 1) -> int:
        """That so many more entries were made, each at max(clock, last + 1 microsecond) or a
        correction of the clock at the clock, or as soon after as no other entry was; returns the
        last position."""
        made = sorted(self.store.log.entries(last=entries), key=lambda entry: entry.position)
        assert len(made) == entries
        for entry in made:
            at = clock if corrected else max(clock, self.last + TICK)
            while at in self.times:
                at += TICK
            self.times.add(at)
            self.asked["changes"] += 1
            assert entry.recorded.at == at
            assert not self.positions or entry.position == self.positions[-1][0] + 1
            self.last = entry.recorded.at
            self.positions.append((entry.position, entry.recorded.at))
        return self.positions[-1][0]
