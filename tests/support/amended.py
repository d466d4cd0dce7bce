"""Changes, retirements and wrong serials of the detector of a history, as plain lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from calib.errors import InputError
from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement, retirement_in_force
from calib.model.store.certification_rules import Consequences
from calib.store.store import Store
from support.plain_list import HOURS
from support.records import detector, stamp
from support.scales import ScaledList
from support.wrong_clocks import CHECKED, STEPS, WrongClocks

VALUES = st.fixed_dictionaries(
    {},
    optional={
        "time_zone": st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Paris"]),
        "description": st.sampled_from(["moved", "mended"]),
        "layout_name": st.sampled_from(["P", "Q"]),
    },
).filter(bool)
STARTS = st.none() | st.sampled_from(HOURS[:-1])
LAST = HOURS[-1]


class Amended(ScaledList, WrongClocks):
    """What is recorded of a detector beside its certifications."""

    store: Store
    serial: str
    edits: list[tuple[int, int | None, dict[str, str]]]
    """Position, start in hours and the new values."""
    retirements: list[tuple[int, int | None]]
    """Position, and from which hour on it is retired."""

    def unamended(self) -> None:
        """Begin with a detector as registered."""
        self.edits, self.retirements, self.relabelled = [], [], {}

    def ask_at_corners(self) -> None:
        """Ask where the answers may have changed."""
        raise NotImplementedError

    @rule(start=STARTS, values=VALUES, step=STEPS, checked=CHECKED)
    def edit(
        self, start: int | None, values: dict[str, str], step: timedelta, checked: bool
    ) -> None:
        at = self.clock(step)
        draft = DetectorEdit(
            number=0,
            serial=self.serial,
            start=None if start is None else self.at(start),
            time_zone=values.get("time_zone"),
            description=values.get("description"),
            layout_name=values.get("layout_name"),
            reason="mended",
            recorded=stamp(at),
        )
        record = self.opened(checked).detectors.edit
        if self.refused(at, lambda: record(draft, stamp(at)), checked):
            return
        expected = self.store.detectors.preview_edit(draft)
        done = record(draft, stamp(at))
        assert done.number == self.recorded(at)
        self.edits.append((done.number, start, values))
        found = self.store.detectors.get(self.serial)
        assert found.zones == expected.zones
        for name in ("time_zone", "description", "layout_name"):
            value = self.described(name, LAST)
            assert getattr(found, name) == getattr(expected, name) == value
        for hour in HOURS[:-1]:
            assert found.zones.at(self.at(hour)).key == self.described("time_zone", hour)

    def described(self, name: str, hour: int) -> str:
        """The value that holds at an hour: the last one recorded for ever, or after that the one
        that began last."""
        value, began = str(getattr(detector(self.serial, 1), name)), -1
        for _, start, values in self.edits:
            if name in values and start is None:
                value, began = values[name], -1
            elif name in values and start is not None and began <= start <= hour:
                value, began = values[name], start
        return value

    @rule(start=STARTS, step=STEPS, checked=CHECKED)
    def retire(self, start: int | None, step: timedelta, checked: bool) -> None:
        at = self.clock(step)
        begin = None if start is None else self.at(start)
        draft = Retirement(0, self.serial, begin, "replaced", stamp(at))
        record = self.opened(checked).detectors.retire
        if self.refused(at, lambda: record(draft, stamp(at)), checked):
            return
        done = record(draft, stamp(at))
        assert done.number == self.recorded(at)
        self.retirements.append((done.number, start))

    @precondition(lambda self: self.edits or self.retirements)
    @rule(data=st.data())
    def ask_for_amendments(self, data: st.DataObject) -> None:
        """Those of the detector, as known at any entry."""
        known, _ = data.draw(st.sampled_from(self.positions))
        edits = [number for number, _, _ in self.edits if number <= known]
        assert [one.number for one in self.store.detectors.edits(self.serial, known)] == edits[::-1]
        retired = [one for one in self.retirements if one[0] <= known]
        found = self.store.detectors.retirements(self.serial, known)
        assert [one.number for one in found] == [number for number, _ in retired][::-1]
        held = retirement_in_force(found)
        start = retired[-1][1] if retired else None
        assert (None if held is None else held.start) == (None if start is None else self.at(start))

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), step=STEPS, checked=CHECKED)
    def relabel(self, data: st.DataObject, step: timedelta, checked: bool) -> None:
        """Record a version under another serial, and withdraw it."""
        version = data.draw(st.integers(1, len(self.versions)))
        at = self.clock(step)
        wrong_id, _, _, record = self.versions[version - 1]
        right = replace(record, serial=f"{self.serial}-right")
        draft = Relabelling(0, wrong_id, right.id, right.serial, "mistyped", stamp(at))
        store = self.opened(checked)
        relabel: Callable[[], object] = lambda: store.calibrations.relabel(  # noqa: E731
            draft, right, stamp(at), detector(right.serial, 1)
        )
        if version in self.relabelled:
            with pytest.raises(InputError) as caught:
                relabel()
            assert caught.value.code == "relabelled"
            assert self.store.log.entries(last=1)[0].position == self.positions[-1][0]
            return
        if self.refused(at, relabel, checked):
            return
        live = [one for one in self.words if one.version == version and one.withdrawn is None]
        before = self.answers()
        relabel()
        position = self.recorded(at, entries=2 + bool(live))
        self.relabelled[version] = position
        for word in live:
            word.withdrawn = position - 1
        if live:
            changed: Consequences = self.store.certifications.consequences(position - 1)
            self.compare(changed, before)
            self.ask_at_corners()
        found = self.store.calibrations.relabellings(self.serial)
        assert [one.number for one in found] == sorted(self.relabelled.values(), reverse=True)
        again = self.store.calibrations.get(right.id)
        assert (again.version, again.starts) == (
            len(self.relabelled),
            self.store.calibrations.get(wrong_id).starts,
        )
