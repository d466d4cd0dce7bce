"""Times of changes that another clock contradicts, and the way on after wrong times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calib.errors import InputError, StoreError
from calib.model.store.log import CLOCK_KIND, ClockCorrection
from calib.model.store.record import ChangeStamp
from calib.store.store import Store
from support import raw
from support.records import DAY, HOUR, SERIAL, calibration, certification, detector, stamp

TICK = timedelta(microseconds=1)
YEARS = 5 * 365 * DAY


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default limits of clocks."""
    for name in ("CALIB_CLOCK_GAP_DAYS", "CALIB_CLOCK_TOLERANCE_DAYS"):
        monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """An empty store in a file."""
    place = str(tmp_path / "calib.sqlite")
    Store.create(place)
    return place


def now() -> datetime:
    return datetime.now(UTC)


def record(place: str, at: datetime, serial: str = SERIAL, *, checked: bool = False) -> datetime:
    """Register a detector at a time by the clock of this machine; returns the time recorded."""
    with Store.open(place, clock_checked=checked) as store:
        assert store.detectors.add(detector(serial), stamp(at))
        return store.log.entries(last=1)[0].recorded.at


def refusal(place: str, at: datetime) -> StoreError:
    """The error of that; nothing is recorded."""
    with Store.open(place) as store:
        before = store.log.entries()
        with pytest.raises(StoreError) as early:
            store.require_writable(at)
        with pytest.raises(StoreError) as caught:
            store.detectors.add(detector("other"), stamp(at))
        assert store.log.entries() == before
        assert str(early.value) == str(caught.value)
    assert "Nothing was recorded." in caught.value.problem
    return caught.value


# what is refused


@pytest.mark.usefixtures("usual")
def test_a_long_time_after_the_last_entry_is_refused_in_a_file(path: str) -> None:
    begin = now() - 1000 * DAY
    record(path, begin)
    error = refusal(path, begin + 400 * DAY + TICK)
    assert error.code == "clock-jump"
    assert "400 days after the last entry" in error.problem
    assert "--clock-checked" in error.remedy
    assert record(path, begin + 400 * DAY, "a") == begin + 400 * DAY
    later = begin + 900 * DAY
    assert record(path, later, "b", checked=True) == later


@pytest.mark.usefixtures("usual")
def test_the_longest_time_after_the_last_entry_is_a_setting(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALIB_CLOCK_GAP_DAYS", "10")
    begin = now() - 100 * DAY
    record(path, begin)
    assert refusal(path, begin + 11 * DAY).code == "clock-jump"
    record(path, begin + 9 * DAY, "a")


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("first", [True, False])
def test_a_time_after_that_of_a_new_file_is_refused(path: str, first: bool) -> None:
    if not first:
        record(path, now() - HOUR)
    error = refusal(path, now() + 30 * HOUR)
    assert error.code == "clock-differs"
    assert "30 hours ahead of a file that was written just now" in error.problem
    assert "--clock-checked" in error.remedy
    record(path, now() + 20 * HOUR, "a")
    record(path, now() + 48 * HOUR, "b", checked=True)
    assert [one.name for one in Path(path).parent.glob(".calib-clock*")] == []


@pytest.mark.usefixtures("usual")
def test_the_past_is_recorded_after_the_last_entry_in_a_file(path: str) -> None:
    last = record(path, now())
    assert record(path, now() - 100 * 365 * DAY, "a") == last + TICK


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize(("hours", "where"), [(30, "ahead of"), (-30, "behind")])
def test_a_time_far_from_the_clock_of_the_server_is_refused(
    fresh_postgres_url: str, hours: int, where: str, checked: bool
) -> None:
    Store.create(fresh_postgres_url)
    error = refusal(fresh_postgres_url, now() + hours * HOUR)
    assert error.code == "clock-differs"
    assert f"30 hours {where} the clock of the database server" in error.problem
    with Store.open(fresh_postgres_url, clock_checked=checked) as store:
        with pytest.raises(StoreError, match="30 hours"):
            store.detectors.add(detector(), stamp(now() + hours * HOUR))
        near = now() + hours // 2 * HOUR
        assert store.detectors.add(detector(), stamp(near))
        assert store.log.entries(last=1)[0].recorded.at == near


# the way on


class Wrong:
    """A store in which a calibration was certified, and another with a clock years ahead."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.begin = now() - 10 * DAY
        with Store.open(place) as store:
            self.first, _ = store.calibrations.add(
                calibration(), (self.begin, None), stamp(self.begin), detector()
            )
            store.certifications.certify(
                certification(self.first, self.begin, recorded=stamp(self.begin))
            )
            self.right = store.log.moment()
            ahead = stamp(self.begin + YEARS)
            self.second, _ = store.calibrations.add(calibration(seed=1), (self.begin, None), ahead)
            later = certification(self.second, self.begin + TICK, recorded=ahead)
            store.certifications.certify(later)
            # A machine with the right clock cannot get time back.
            store.detectors.add(detector("other"), stamp(self.begin + DAY))
            self.wrong = store.log.moment()
        assert self.wrong.at == self.begin + YEARS + 2 * TICK
        self.rows = self.all_rows()

    def all_rows(self) -> list[object]:
        return [
            *raw.execute(self.place, "SELECT * FROM deed ORDER BY position"),
            *raw.execute(self.place, "SELECT * FROM entry ORDER BY position"),
        ]

    def correct(self, at: datetime, reason: str = "beamline PC") -> ClockCorrection:
        with Store.open(self.place, clock_checked=True) as store:
            change = replace(stamp(at), reason=reason)
            seen = store.log.preview_clock(change)
            done = store.log.correct_clock(change)
            assert replace(done, position=None) == seen
            return done


@pytest.fixture
def wrong(place: str) -> Wrong:
    """Such a store, on both databases."""
    return Wrong(place)


def test_after_a_correction_times_are_those_of_the_clock_again(wrong: Wrong) -> None:
    at = wrong.begin + 2 * DAY
    done = wrong.correct(at)
    first, last = wrong.right.position + 1, wrong.wrong.position
    assert (done.first, done.last, done.latest) == (first, last, wrong.wrong.at)
    assert (done.at, done.position) == (at, last + 1)
    with Store.open(wrong.place) as store:
        entry = store.log.entries(last=1)[0]
        assert (entry.kind, entry.recorded.reason) == (CLOCK_KIND, "beamline PC")
        for expected, clock in ((at + HOUR, at + HOUR), (at + HOUR + TICK, at)):
            store.detectors.add(detector(f"{expected}"), stamp(clock))
            assert store.log.entries(last=1)[0].recorded.at == expected
        assert store.log.audit().findings == ()
    assert [row for row in wrong.all_rows() if row in wrong.rows] == wrong.rows


def test_positions_answer_as_before_a_correction(wrong: Wrong) -> None:
    def answers(store: Store) -> list[str]:
        return [
            store.resolve(
                SERIAL, wrong.begin + HOUR, 200.0, as_known_at=position
            ).certification.calibration_id
            for position in range(wrong.right.position, wrong.wrong.position + 1)
        ]

    with Store.open(wrong.place) as store:
        before = answers(store)
    assert set(before) == {wrong.first.id, wrong.second.id}
    wrong.correct(wrong.begin + 2 * DAY)
    with Store.open(wrong.place) as store:
        assert answers(store) == before


def test_entries_with_wrong_times_count_from_the_correction_on(wrong: Wrong) -> None:
    at = wrong.begin + 2 * DAY
    done = wrong.correct(at)
    with Store.open(wrong.place) as store:
        store.detectors.add(detector("new"), stamp(at + DAY))
        end = store.log.moment().position
        for time, position in (
            (at - TICK, wrong.right.position),
            (at, done.position),
            (at + DAY - TICK, done.position),
            (at + DAY, end),
            (wrong.begin + YEARS, end),
            (wrong.begin + 2 * YEARS, end),
        ):
            assert store.log.moment(time).position == position
        for time, calibration_id in ((at - TICK, wrong.first.id), (at, wrong.second.id)):
            found = store.resolve(SERIAL, wrong.begin + HOUR, 200.0, as_known_at=time)
            assert found.calibration.id == calibration_id
        now_known = store.resolve(SERIAL, wrong.begin + HOUR, 200.0)
        assert (now_known.position, now_known.recorded_at) == (end, at + DAY)


def test_the_clock_is_corrected_again_after_another_wrong_time(wrong: Wrong) -> None:
    at = wrong.begin + 2 * DAY
    first = wrong.correct(at)
    with Store.open(wrong.place) as store:
        store.detectors.add(detector("far"), stamp(at + 2 * YEARS))
    second = wrong.correct(at + DAY)
    assert first.position is not None
    assert (second.first, second.last) == (first.position + 1, first.position + 1)
    with Store.open(wrong.place) as store:
        assert store.log.moment(at + HOUR).position == first.position
        assert store.log.moment(at + DAY).position == second.position
        assert store.log.audit().findings == ()


def test_two_entries_never_have_the_same_time(wrong: Wrong) -> None:
    wrong.correct(wrong.begin + 2 * DAY)
    with Store.open(wrong.place) as store:
        store.detectors.add(detector("new"), stamp(wrong.begin + YEARS))  # the time that was wrong
        assert wrong.wrong.at is not None
        assert store.log.entries(last=1)[0].recorded.at == wrong.wrong.at + TICK
        assert store.log.audit().findings == ()


def test_a_correction_is_refused_unless_it_is_needed_and_confirmed(wrong: Wrong) -> None:
    def refused(at: datetime, reason: str, checked: bool) -> str:
        with Store.open(wrong.place, clock_checked=checked) as store:
            change = ChangeStamp(at, "ada", "beamline", reason=reason)
            with pytest.raises(InputError) as seen:
                store.log.preview_clock(change)
            with pytest.raises(InputError) as caught:
                store.log.correct_clock(change)
            assert seen.value.code == caught.value.code
            return caught.value.code

    at = wrong.begin + 2 * DAY
    assert refused(at, " ", True) == "no-reason"
    assert refused(at, "because", False) == "clock-unchecked"
    assert refused(wrong.begin + YEARS + DAY, "because", True) == "clock-right"
    assert wrong.all_rows() == wrong.rows


def test_a_time_before_that_of_the_entry_before_is_a_finding_without_a_correction(
    wrong: Wrong,
) -> None:
    done = wrong.correct(wrong.begin + 2 * DAY)
    raw.tamper(wrong.place, f"UPDATE entry SET kind = 'rule' WHERE position = {done.position}")
    with Store.open(wrong.place) as store:
        problems = [one.problem for one in store.log.audit().findings]
    assert "its time is not later than that of the position before" in problems


def test_a_bundle_from_a_store_with_a_corrected_clock_is_loaded_and_verified(
    wrong: Wrong, tmp_path: Path
) -> None:
    at = wrong.begin + 2 * DAY
    wrong.correct(at)
    there = str(tmp_path / "there.sqlite")
    Store.create(there)
    with Store.open(wrong.place) as store, Store.open(there) as other:
        store.certifications.certify(certification(wrong.first, at, recorded=stamp(at)))
        other.bundles.load(store.bundles.export(SERIAL), stamp(at))
        assert other.log.audit().findings == ()
        found = other.bundles.origins(serial=SERIAL)
        assert len(found) == len(store.log.entries(SERIAL))
