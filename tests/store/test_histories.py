"""Random histories of one detector, compared with plain lists of its certifications and amendments.

The lists share no code with the store. Their hours and tens of mm are placed in the middle of what
can be recorded, or at its bounds. The clock of the machine is wrong by up to centuries.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from calib.errors import InputError, NotFoundError
from calib.model.base.bounds import FIRST_INSTANT
from calib.model.store.record import Certification
from calib.model.store.resolution import DistancePolicy, Resolution, TimePolicy
from calib.model.store.validity import DistanceRange, Validity
from calib.store.store import Store
from conftest import PROFILE
from support.amended import Amended
from support.plain_list import HOURS, TENS, Point, Word, corners
from support.records import DAY, NOON, calibration, detector, stamp
from support.scales import EXTREME, TICK, USUAL
from support.wrong_clocks import BACK, CHECKED, GAP, STEPS, TOLERANCE

HISTORIES = (7_000, 3_000) if PROFILE == "long" else (40, 12)
"""On SQLite, and on a server, which takes several times as long to answer; 10 000 in all."""
AT_ONCE = 500
"""Histories of one run of Hypothesis, which becomes slower with their number."""
COUNTER = itertools.count()
STARTS = st.sampled_from([2, 4, 8])
LENGTHS = st.none() | st.integers(1, 4)
NEAREST_MM = st.integers(0, 5)
WIDTHS = st.integers(1, 6)
GAPS = st.sampled_from([0, 1, 2])
FIRST_TWO = st.tuples(
    STARTS, st.none() | st.integers(3, 6), NEAREST_MM, st.integers(3, 6), st.integers(1, 2), GAPS
)
"""Two, one within the other: start, length, nearest distance and width of the first, by how much
the second begins later and farther, and the gap of both. In half of the histories another one lies
below, from the first hour on and for all distances."""
FEWEST_QUESTIONS = 50
"""At corners, for each history."""
LEAST_HELD = {"now": 0.35, "as known": 0.15}
"""Of the questions at corners, now and as known at an entry: the share where something holds ..."""
LEAST_CONTESTED = {"now": 0.04, "as known": 0.015}
"""... and where certifications of two or more versions do."""


class Histories(Amended, RuleBasedStateMachine):
    """One new detector for each history."""

    store: Store

    @initialize(
        accepted=st.booleans(),
        everywhere=st.booleans(),
        first=FIRST_TWO,
        extreme=st.booleans(),
    )
    def born(
        self,
        accepted: bool,
        everywhere: bool,
        first: tuple[int, int | None, int, int, int, int],
        extreme: bool,
    ) -> None:
        self.scale = EXTREME if extreme else USUAL
        number = next(COUNTER)
        self.serial = f"h{number}"
        log = self.store.log.entries(last=1)
        self.last = log[0].recorded.at if log else NOON - DAY
        self.asked["histories"] += 1
        self.unamended()
        self.versions = []
        self.words = []
        self.positions = []
        self.remembered: list[tuple[int, datetime, float, Resolution]] = []
        begin = NOON + number * timedelta(seconds=1)
        if self.last > begin:
            self.correct(begin)
            self.positions.clear()  # what is drawn must not depend on earlier histories
        self.sure.detectors.add(detector(self.serial, 1), stamp(begin))
        self.recorded(begin)
        still = timedelta()
        self.derive(True, still, True)
        self.derive(accepted, still, True)
        if everywhere:
            self.certify_version(1, 0, None, 0, 13, 0, True, True, still, True)
        start, length, low, width, by, gap = first
        self.check(Point(start, False, low), None)
        self.certify_version(1, start, length, low, width, gap, True, True, still, True)
        left = None if length is None else length - by
        self.certify_version(
            2, start + by, left, low + by, width - by, gap, True, True, still, True
        )
        self.ask_at_corners()

    # what happens

    @rule(accepted=st.booleans(), step=STEPS, checked=CHECKED)
    def derive(self, accepted: bool, step: timedelta, checked: bool) -> None:
        at = self.clock(step)
        record = calibration(self.serial, len(self.versions), 1, accepted, distances_mm=(50.0,))
        store = self.opened(checked)
        if self.refused(at, lambda: store.calibrations.add(record, (NOON,), stamp(at)), checked):
            return
        stored, new = store.calibrations.add(record, (NOON,), stamp(at))
        position = self.recorded(at)
        assert (new, stored.version, stored.id) == (True, len(self.versions) + 1, record.id)
        self.versions.append((record.id, accepted, position, record))

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def derive_again(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(1, len(self.versions)))
        record = self.versions[version - 1][3]
        stored, new = self.store.calibrations.add(record, (NOON,), stamp())
        assert (new, stored.version) == (False, version)
        assert self.store.log.entries(last=1)[0].position == self.positions[-1][0]

    @precondition(lambda self: self.versions)
    @rule(back=BACK)
    def correct_the_clock(self, back: timedelta) -> None:
        self.correct(max(self.last - back, FIRST_INSTANT))

    @precondition(lambda self: self.versions)
    @rule(
        data=st.data(),
        start=STARTS,
        length=LENGTHS,
        low=NEAREST_MM,
        width=WIDTHS,
        gap=GAPS,
        override=st.booleans(),
        supersede=st.booleans(),
        step=STEPS,
        checked=CHECKED,
    )
    def certify(
        self,
        data: st.DataObject,
        start: int,
        length: int | None,
        low: int,
        width: int,
        gap: int,
        override: bool,
        supersede: bool,
        step: timedelta,
        checked: bool,
    ) -> None:
        version = data.draw(st.integers(1, len(self.versions)))
        if self.certify_version(
            version, start, length, low, width, gap, override, supersede, step, checked
        ):
            self.ask_at_corners()

    def certify_version(
        self,
        version: int,
        start: int,
        length: int | None,
        low: int,
        width: int,
        gap: int,
        override: bool,
        supersede: bool,
        step: timedelta,
        checked: bool,
    ) -> bool:
        """Whether the version was certified."""
        at = self.clock(step)
        calibration_id, accepted, _, _ = self.versions[version - 1]
        end = None if length is None else start + length
        word = Word(0, version, start, end, low, low + width, gap)
        draft = Certification(
            number=0,
            calibration_id=calibration_id,
            serial=self.serial,
            version=version,
            validity=Validity(self.at(start), None if end is None else self.at(end)),
            distances=DistanceRange(self.scale.mm[low], self.scale.mm[low + width]),
            reason="so it is",
            override="I know better" if override else "",
            recorded=stamp(at),
            withdrawn=None,
            withdrawn_reason="",
            gap_mm=self.scale.gap_mm[gap],
        )
        consequences = self.store.certifications.preview_certify(draft)
        refused = None
        if version in self.relabelled:
            refused = "relabelled"
        elif not accepted and not override:
            refused = "not-accepted"
        elif self.holds_everywhere(word):
            refused = "certified-already"
        elif not supersede and self.overlaps(word):
            refused = "overlap"
        if refused is not None:
            with pytest.raises(InputError) as caught:
                self.store.certifications.certify(draft, supersede=supersede)
            assert caught.value.code == refused
            return False
        before = self.answers()
        certify = self.opened(checked).certifications.certify
        if self.refused(at, lambda: certify(draft, supersede=supersede), checked):
            return False
        number = certify(draft, supersede=supersede).number
        word.number = number
        self.words.append(word)
        assert self.recorded(at) == number
        self.compare(consequences, before)
        self.compare(self.store.certifications.consequences(number), before)
        return True

    @precondition(lambda self: self.words)
    @rule(data=st.data(), step=STEPS, checked=CHECKED)
    def withdraw(self, data: st.DataObject, step: timedelta, checked: bool) -> None:
        word = data.draw(st.sampled_from(self.words))
        at = self.clock(step)
        if word.withdrawn is not None:
            with pytest.raises(NotFoundError, match="is withdrawn already"):
                self.store.certifications.withdraw(word.number, "again", stamp(at))
            return
        lost, consequences = self.store.certifications.preview_withdraw(word.number)
        assert [one.number for one in lost] == [word.number]
        before = self.answers()
        withdraw = self.opened(checked).certifications.withdraw
        if self.refused(at, lambda: withdraw(word.number, "not so", stamp(at)), checked):
            return
        withdraw(word.number, "not so", stamp(at))
        word.withdrawn = self.recorded(at)
        self.compare(consequences, before)
        self.compare(self.store.certifications.consequences(word.withdrawn), before)
        self.ask_at_corners()

    # what is asked

    def ask_at_corners(self) -> None:
        """At every corner of every certification, now and as known at the last three entries."""
        known = itertools.cycle(place for place, _ in self.positions[-3:])
        for point in corners(self.words):
            self.count("now", point, None)
            self.check(point, None)
            position = next(known)
            self.count("as known", point, position)
            self.check(point, position)

    def count(self, when: str, point: Point, known: int | None) -> None:
        holding = self.holding(*point.place, known)
        self.asked[f"{when}: asked"] += 1
        self.asked[f"{when}: held"] += bool(holding)
        self.asked[f"{when}: contested"] += len({word.version for word in holding}) > 1

    @rule(hour=st.sampled_from(HOURS), tens=st.sampled_from(TENS))
    def ask(self, hour: int, tens: int) -> None:
        self.check(Point(hour, False, tens), None, explain=True)

    @rule(data=st.data(), hour=st.sampled_from(HOURS), tens=st.sampled_from(TENS))
    def ask_as_known_at(self, data: st.DataObject, hour: int, tens: int) -> None:
        position, at = data.draw(st.sampled_from(self.positions))
        points = [Point(hour, False, tens), *corners([data.draw(st.sampled_from(self.words))])]
        if data.draw(st.booleans()):
            for point in points:
                self.check(point, position)
            return
        moment = at + data.draw(st.integers(0, 2)) * TICK
        known = max(place for place, when in self.positions if when <= moment)
        for point in points:
            self.check(point, known, asked=moment)

    @rule(
        hour=st.sampled_from(HOURS),
        tens=st.sampled_from(TENS),
        nearest=st.booleans(),
        closest=st.booleans(),
    )
    def ask_for_the_nearest(self, hour: int, tens: int, nearest: bool, closest: bool) -> None:
        number = self.nearest(hour, tens, nearest=nearest, closest=closest)
        at = self.at(hour)
        ask: Callable[[], Resolution] = lambda: self.store.resolve(  # noqa: E731
            self.serial,
            at,
            self.scale.mm[tens],
            distance_policy=DistancePolicy.NEAREST if nearest else DistancePolicy.EXACT,
            time_policy=TimePolicy.CLOSEST if closest else TimePolicy.PRIOR,
        )
        if number is None:
            with pytest.raises(NotFoundError):
                ask()
            return
        assert ask().certification.number == number

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def ask_for_states(self, data: st.DataObject) -> None:
        known, _ = data.draw(st.sampled_from(self.positions))
        then = {
            line.version: line.state for line in self.store.calibrations.list(self.serial, known)
        }
        assert then == self.states(known)
        version = data.draw(st.integers(1, len(self.versions)))
        state = self.store.calibrations.get(self.versions[version - 1][0]).state
        assert state is self.states(self.positions[-1][0])[version]

    def teardown(self) -> None:
        """What was answered once is answered the same for ever."""
        for position, at, distance_mm, answered in getattr(self, "remembered", []):
            again = self.store.resolve(
                self.serial, at, distance_mm, as_known_at=position, explain=True
            )
            assert again.position == answered.position == position
            assert again.certification == answered.certification
            assert (again.age, again.time_gap) == (answered.age, answered.time_gap)
            assert again.calibration.id == answered.calibration.id
            first, second = again.calibration, answered.calibration
            assert first.correction.values.tobytes() == second.correction.values.tobytes()
            assert first.sigma.tobytes() == second.sigma.tobytes()
            assert (first.acceptance, first.stored) == (second.acceptance, second.stored)

    # against the plain model

    def check(
        self,
        point: Point,
        known: int | None,
        asked: datetime | None = None,
        explain: bool = False,
    ) -> None:
        expected = self.answer(*point.place, known)
        hour, just_before, tens, just_nearer = point
        at = self.at(hour) - just_before * TICK
        distance_mm = self.scale.mm[tens]
        if just_nearer:
            distance_mm = math.nextafter(distance_mm, 0.0)

        def ask() -> Resolution:
            return self.store.resolve(
                self.serial, at, distance_mm, as_known_at=asked or known, explain=explain
            )

        if expected is None:
            with pytest.raises(NotFoundError):
                ask()
            return
        found = ask()
        assert found.certification.number == expected.number
        assert found.calibration.version == expected.version
        assert found.position == (self.positions[-1][0] if known is None else known)
        assert found.certification.withdrawn is None
        others = {one.number for one in self.words} - {expected.number}
        if explain:
            assert {one.certification.number for one in found.candidates} == others
        if not (just_before or just_nearer) and len(self.remembered) < 3:
            self.remembered.append((found.position, at, distance_mm, found))


def test_the_store_answers_as_a_plain_list_would(
    store: Store, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = "://" in place
    histories = HISTORIES[server]
    monkeypatch.setenv("CALIB_CLOCK_GAP_DAYS", str(GAP / DAY))
    monkeypatch.setenv("CALIB_CLOCK_TOLERANCE_DAYS", str(TOLERANCE / DAY))
    asked: Counter[str] = Counter()
    with Store.open(place) as usual, Store.open(place, clock_checked=True) as sure:
        given = {"store": usual, "sure": sure, "server": server, "asked": asked, "times": set()}
        while asked["histories"] < histories:
            run_state_machine_as_test(
                type("Histories", (Histories,), given),
                settings=settings(
                    max_examples=min(AT_ONCE, histories - asked["histories"]),
                    stateful_step_count=11,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    assert store.log.audit().findings == ()
    print(dict(asked))  # noqa: T201 - the figures of a long run
    assert asked["refused clocks"] >= histories / 20
    for when in ("now", "as known"):
        total = asked[f"{when}: asked"]
        assert total >= FEWEST_QUESTIONS * histories
        assert asked[f"{when}: held"] >= LEAST_HELD[when] * total
        assert asked[f"{when}: contested"] >= LEAST_CONTESTED[when] * total
