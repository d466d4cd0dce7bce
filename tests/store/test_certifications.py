"""Certify, withdraw, resolve: what applies when, and the remedy where nothing does."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib.errors import InputError, NotFoundError
from calib.model.store.record import Certification, StoredCalibration
from calib.store.store import Store
from support.records import (
    DAY,
    HOUR,
    NOON,
    SERIAL,
    calibration,
    certification,
    detector,
    stamp,
)

TICK = timedelta(microseconds=1)
COUNTER = itertools.count()


def test_a_certification_comes_back_as_it_was_recorded(
    store: Store, stored: StoredCalibration
) -> None:
    draft = certification(stored, NOON, NOON + DAY + TICK, (100.0, 123.456))
    recorded = store.certifications.certify(draft)
    assert recorded.number > 0
    assert recorded == replace(draft, number=recorded.number, recorded=recorded.recorded)
    assert recorded.recorded.at == stored.stored.at + TICK  # the clock stood still
    assert store.certifications.list(SERIAL) == [recorded]


def test_a_certification_is_half_open_in_time_and_distance(
    store: Store, stored: StoredCalibration
) -> None:
    made = store.certifications.certify(certification(stored, NOON, NOON + DAY, (100.0, 200.0)))
    for at, distance in ((NOON, 100.0), (NOON + DAY - TICK, 199.999)):
        found = store.resolve(SERIAL, at, distance)
        assert (found.calibration.id, found.certification) == (stored.id, made)
    for at, distance in (
        (NOON - TICK, 150.0),
        (NOON + DAY, 150.0),
        (NOON, 99.999),
        (NOON, 200.0),
    ):
        with pytest.raises(NotFoundError):
            store.resolve(SERIAL, at, distance)


def test_the_latest_recorded_one_applies_and_the_earlier_one_outside_it(
    store: Store, stored: StoredCalibration
) -> None:
    newer, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    store.certifications.certify(certification(stored))
    made = store.certifications.certify(certification(newer, NOON + DAY, NOON + 2 * DAY))
    hits = [
        store.resolve(SERIAL, NOON + days * DAY, 150.0).calibration.version
        for days in (0, 1, 1.5, 2, 9)
    ]
    assert hits == [1, 2, 2, 1, 1]
    store.certifications.withdraw(made.number, "the wrong night", stamp())
    assert store.resolve(SERIAL, NOON + 1.5 * DAY, 150.0).calibration.version == 1


def test_a_withdrawal_records_who_and_why_and_keeps_the_certification(
    store: Store, stored: StoredCalibration
) -> None:
    first = store.certifications.certify(certification(stored))
    second = store.certifications.certify(certification(stored, NOON + DAY))
    taken = store.certifications.withdraw(stored.id, "a loose cable", stamp(NOON + HOUR, "bob"))
    assert [one.number for one in taken] == [second.number, first.number]
    assert store.certifications.list(SERIAL) == taken
    for one in taken:
        assert one.withdrawn is not None
        assert (one.withdrawn.at, one.withdrawn.actor) == (NOON + HOUR, "bob")
        assert one.withdrawn_reason == "a loose cable"
    with pytest.raises(NotFoundError, match="is withdrawn already"):
        store.certifications.withdraw(first.number, "again", stamp())
    with pytest.raises(NotFoundError, match="certification 999 does not exist"):
        store.certifications.withdraw(999, "never was", stamp())


def test_a_draft_is_certified_only_with_an_override(store: Store) -> None:
    draft, _ = store.calibrations.add(
        calibration(accepted=False), (None, None), stamp(), detector()
    )
    with pytest.raises(InputError, match="24-0107:1 failed acceptance and is a draft") as caught:
        store.certifications.certify(certification(draft))
    assert caught.value.code == "not-accepted"
    assert '--override "REASON"' in caught.value.remedy
    made = store.certifications.certify(certification(draft, override="the only data available"))
    assert made.override == "the only data available"
    assert store.resolve(SERIAL, NOON, 150.0).calibration.id == draft.id


def test_a_certification_needs_a_reason_and_a_calibration(
    store: Store, stored: StoredCalibration
) -> None:
    with pytest.raises(InputError, match="needs a reason"):
        store.certifications.certify(replace(certification(stored), reason=" "))
    with pytest.raises(InputError, match="needs a reason"):
        store.certifications.withdraw(stored.id, "", stamp())
    with pytest.raises(NotFoundError, match="calibration ffffffffffff is not in the store"):
        store.certifications.certify(replace(certification(stored), calibration_id="f" * 64))
    with pytest.raises(InputError, match="is 24-0107:1 here, not 24-0107:2"):
        store.certifications.certify(replace(certification(stored), version=2))
    made = store.certifications.certify(certification(stored))
    with pytest.raises(InputError, match="is recorded"):
        store.certifications.certify(made)
    assert store.certifications.list(SERIAL) == [made]


def test_a_time_without_a_zone_is_refused(store: Store, stored: StoredCalibration) -> None:
    store.certifications.certify(certification(stored))
    with pytest.raises(InputError, match="has no time zone"):
        store.resolve(SERIAL, NOON.replace(tzinfo=None), 150.0)
    with pytest.raises(InputError, match="nan is not a distance"):
        store.resolve(SERIAL, NOON, float("nan"))


def test_the_error_without_a_match_names_the_nearest_certification_and_a_remedy(
    store: Store, stored: StoredCalibration
) -> None:
    with pytest.raises(NotFoundError) as caught:
        store.resolve(SERIAL, NOON, 150.0)
    assert caught.value.problem == "no calibration of detector 24-0107 is certified."
    assert caught.value.remedy == (
        'calib certify 24-0107:1 --from 2026-03-01T00:00:00Z --partial --reason "..."'
    )
    store.certifications.certify(certification(stored, NOON, NOON + DAY, (100.0, 200.0)))
    with pytest.raises(NotFoundError) as caught:
        store.resolve(SERIAL, NOON + 3 * DAY, 150.0)
    assert caught.value.problem == (
        "no calibration of detector 24-0107 is certified for 2026-03-04T12:00:00Z at 150 mm. "
        "Nearest: 24-0107:1 is certified from 2026-03-01T12:00:00Z to 2026-03-02T12:00:00Z, "
        "100 to 200 mm (the data are 2 days after)."
    )
    assert caught.value.remedy == (
        "calib certify 24-0107:1 --from 2026-03-02T12:00:00Z --to 2026-03-05T00:00:00Z "
        '--min-distance 100.0 --max-distance 200.0 --reason "..."'
    )
    with pytest.raises(NotFoundError) as caught:
        store.resolve(SERIAL, NOON, 265.25)
    assert "(the data are 65.2 mm off)" in caught.value.problem
    assert caught.value.remedy == (
        "calib certify 24-0107:1 --from 2026-03-01T12:00:00Z --to 2026-03-02T12:00:00Z "
        '--min-distance 200.0 --max-distance 266.0 --reason "..."'
    )


def test_the_error_for_a_detector_without_calibrations_suggests_derive(store: Store) -> None:
    store.detectors.add(detector(), stamp())
    with pytest.raises(NotFoundError, match="has no calibration yet") as caught:
        store.resolve(SERIAL, NOON, 150.0)
    assert caught.value.remedy == "calib derive ... --serial 24-0107."


HOURS = st.integers(-60, 60)
MM = st.integers(0, 40).map(lambda tens: tens * 10.0)
RECTANGLES = st.tuples(
    HOURS, st.none() | st.integers(1, 40), MM, st.integers(1, 20).map(lambda tens: tens * 10.0)
)


def _certified(
    store: Store, rectangles: list[tuple[int, int | None, float, float]]
) -> tuple[str, list[Certification]]:
    serial = f"d{next(COUNTER)}"
    store.detectors.add(detector(serial), stamp())
    recorded = []
    for seed, (start, hours, minimum, width) in enumerate(rectangles):
        stored, _ = store.calibrations.add(calibration(serial, seed), (None, None), stamp())
        end = None if hours is None else NOON + (start + hours) * HOUR
        made = certification(stored, NOON + start * HOUR, end, (minimum, minimum + width))
        recorded.append(store.certifications.certify(made, supersede=True))
    return serial, recorded


@given(st.lists(RECTANGLES, max_size=4), HOURS, st.floats(0.0, 1000.0))
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_suggested_command_makes_the_query_resolve_and_changes_nothing_else(
    store: Store,
    rectangles: list[tuple[int, int | None, float, float]],
    hour: int,
    distance: float,
) -> None:
    serial, recorded = _certified(store, rectangles)
    if not recorded:
        store.calibrations.add(calibration(serial), (None, None), stamp())
    at = NOON + hour * HOUR
    before = _answers(store, serial)
    try:
        store.resolve(serial, at, distance)
    except NotFoundError as error:
        if not error.remedy.startswith("calib certify "):
            # Metres instead of mm, or data older than a calibration may be certified for.
            assert distance < 10.0 or error.remedy.startswith("derive a calibration")
            return
        command = [word for word in shlex.split(error.remedy) if word != "--partial"]
    else:
        return
    options = dict(zip(command[3::2], command[4::2], strict=True))
    stored = store.calibrations.get(command[2])
    end = datetime.fromisoformat(options["--to"]) if "--to" in options else None
    store.certifications.certify(
        certification(
            stored,
            datetime.fromisoformat(options["--from"]),
            end,
            (
                float(options.get("--min-distance", 0.0)),
                float(options.get("--max-distance", 2000.0)),
            ),
        )
    )
    assert store.resolve(serial, at, distance).calibration.id == stored.id
    # It extends what is certified and changes no earlier answer.
    after = _answers(store, serial)
    assert {point: after[point] for point in before} == before


def _answers(store: Store, serial: str) -> dict[tuple[int, float], int]:
    found = {}
    for point in itertools.product(range(-70, 110, 17), (0.0, 15.0, 95.0, 205.0, 395.0)):
        try:
            answer = store.resolve(serial, NOON + point[0] * HOUR, point[1])
        except NotFoundError:
            continue
        found[point] = answer.calibration.version
    return found


def test_the_same_certification_is_refused_while_it_answers_everywhere(
    store: Store, stored: StoredCalibration
) -> None:
    def certify(draft: Certification) -> Certification:
        return store.certifications.certify(draft, supersede=True)

    draft = certification(stored, NOON, NOON + 2 * DAY)
    first = certify(draft)
    for supersede in (False, True):
        with pytest.raises(InputError, match=f"certification {first.number}, by ada") as caught:
            store.certifications.certify(draft, supersede=supersede)
        assert caught.value.code == "certified-already"
    assert [one.number for one in store.certifications.list(SERIAL)] == [first.number]
    wider = certify(replace(draft, gap_mm=5.0))
    other, _ = store.calibrations.add(calibration(seed=1), (NOON, None), stamp())
    certify(certification(other, NOON + DAY, NOON + 2 * DAY))
    again = certify(draft)  # another one had taken a part of it
    store.certifications.withdraw(wider.number, "an error", stamp())
    with pytest.raises(InputError, match="certified so already"):
        certify(draft)
    store.certifications.withdraw(again.number, "an error", stamp())
    certify(draft)
