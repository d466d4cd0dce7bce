"""The resolver: policies, answers as of a position of the log, and the explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calib.errors import InputError, NotFoundError
from calib.model.store.record import StoredCalibration
from calib.model.store.resolution import DistancePolicy, TimePolicy
from calib.store.store import Store
from support.records import (
    DAY,
    HOUR,
    NOON,
    SERIAL,
    calibration,
    certification,
    stamp,
)

NEAREST, CLOSEST = DistancePolicy.NEAREST, TimePolicy.CLOSEST
TICK = timedelta(microseconds=1)


def test_the_answer_is_the_stored_calibration_bit_for_bit(
    store: Store, stored: StoredCalibration
) -> None:
    certified = store.certifications.certify(certification(stored))
    answer = store.resolve(SERIAL, NOON + DAY, 150.0)
    found, estimate = answer.calibration, stored.record.estimate
    assert (found.name, found.id, found.stored) == (stored.name, stored.id, stored.stored)
    assert found.correction.values.tobytes() == estimate.correction.values.tobytes()
    assert found.sigma.tobytes() == estimate.sigma.tobytes()
    assert found.status == estimate.status
    assert found.n_reflections.tolist() == estimate.n_reflections.tolist()
    assert found.panel_names == stored.record.panel_names
    assert found.acceptance == stored.record.acceptance
    assert (found.layout_id, found.distances_mm) == (stored.record.layout_id, (150.0, 400.0))
    assert (answer.position, answer.recorded_at) == (certified.number, certified.recorded.at)
    assert (answer.age, answer.certification) == (DAY, certified)


def test_the_nearest_policy_applies_within_the_gap_and_warns(
    store: Store, stored: StoredCalibration
) -> None:
    near = replace(certification(stored, distances_mm=(100.0, 200.0)), gap_mm=50.0)
    far, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    store.certifications.certify(near)
    store.certifications.certify(
        replace(certification(far, distances_mm=(260.0, 300.0)), gap_mm=100.0)
    )
    for distance, version in ((199.0, 1), (220.0, 1), (231.0, 2), (261.0, 2), (400.0, 2)):
        answer = store.resolve(SERIAL, NOON, distance, distance_policy=NEAREST)
        assert answer.calibration.version == version
    assert answer.distance_gap_mm == 100.0
    assert answer.warnings == (
        "the distance is 100 mm outside the range that 24-0107:2 is certified for.",
    )
    for distance in (400.1, 99.0, 220.0):
        with pytest.raises(NotFoundError):
            store.resolve(SERIAL, NOON, distance)
    with pytest.raises(NotFoundError, match="Nearest: 24-0107:2"):
        store.resolve(SERIAL, NOON, 400.1, distance_policy=NEAREST)


def test_the_prior_policy_never_uses_a_later_certification_and_closest_warns(
    store: Store, stored: StoredCalibration
) -> None:
    store.certifications.certify(certification(stored, NOON, NOON + DAY))
    for at in (NOON - HOUR, NOON + DAY):
        with pytest.raises(NotFoundError):
            store.resolve(SERIAL, at, 150.0)
    before = store.resolve(SERIAL, NOON - 2 * HOUR, 150.0, time_policy=CLOSEST)
    assert before.time_gap == 2 * HOUR
    assert before.warnings == (
        "24-0107:1 is not certified for this time: it begins 2 hours after the data.",
    )
    after = store.resolve(SERIAL, NOON + 3 * DAY, 150.0, time_policy=CLOSEST)
    assert after.warnings == (
        "24-0107:1 is not certified for this time: it ended 2 days before the data.",
    )


def test_what_was_recorded_later_does_not_count(store: Store, stored: StoredCalibration) -> None:
    newer, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp(NOON + HOUR))
    first = store.certifications.certify(certification(stored, recorded=stamp(NOON + 2 * HOUR)))
    second = store.certifications.certify(
        certification(newer, recorded=stamp(NOON + 3 * HOUR)), supersede=True
    )
    store.certifications.withdraw(second.number, "no", stamp(NOON + 4 * HOUR))

    def version(known: object) -> int:
        answer = store.resolve(SERIAL, NOON, 150.0, as_known_at=known)  # type: ignore[arg-type]
        assert answer.certification.withdrawn is None
        return answer.calibration.version

    assert [version(first.number), version(second.number), version(None)] == [1, 2, 1]
    times = (NOON + 2 * HOUR, NOON + 3 * HOUR - TICK, NOON + 3 * HOUR, NOON + 4 * HOUR - TICK)
    assert [version(at) for at in times] == [1, 1, 2, 2]
    with pytest.raises(
        NotFoundError, match="as of position 2 of the log: no calibration of detector"
    ):
        version(2)


def test_a_time_after_the_last_entry_means_the_last_entry(
    store: Store, stored: StoredCalibration
) -> None:
    certified = store.certifications.certify(certification(stored))
    answer = store.resolve(SERIAL, NOON, 150.0, as_known_at=NOON + 999 * DAY)
    assert (answer.position, answer.recorded_at) == (certified.number, certified.recorded.at)
    with pytest.raises(InputError, match=r"the log has no position 3; its last one is 2\."):
        store.resolve(SERIAL, NOON, 150.0, as_known_at=3)
    with pytest.raises(NotFoundError, match="nothing was recorded by then"):
        store.resolve(SERIAL, NOON, 150.0, as_known_at=NOON - DAY)


def test_the_explanation_gives_a_reason_for_every_other_certification(
    store: Store, stored: StoredCalibration
) -> None:
    certifications = [
        store.certifications.certify(certification(stored, NOON, NOON + DAY)),
        store.certifications.certify(certification(stored, NOON + 4 * DAY, NOON + 5 * DAY)),
        store.certifications.certify(certification(stored, NOON + DAY, None, (500.0, 600.0))),
        *(
            store.certifications.certify(
                replace(certification(stored, NOON + 2 * DAY, NOON + 4 * DAY), gap_mm=gap_mm)
            )
            for gap_mm in (0.0, 1.0, 2.0)
        ),
    ]
    store.certifications.withdraw(certifications[5].number, "a slip", stamp(NOON + HOUR))
    answer = store.resolve(SERIAL, NOON + 3 * DAY, 150.0, explain=True)
    assert answer.certification == certifications[4]
    assert {one.certification.number: one.lost for one in answer.candidates} == {
        certifications[0].number: "ended 2 days earlier",
        certifications[1].number: "begins 24 hours later",
        certifications[2].number: "the distance is 350 mm outside its range",
        certifications[3].number: f"certification {certifications[4].number} was recorded later",
        certifications[5].number: "withdrawn 2026-03-01T13:00:00Z: a slip",
    }


def test_old_measurements_and_newer_data_give_warnings(
    store: Store, stored: StoredCalibration
) -> None:
    draft, _ = store.calibrations.add(calibration(seed=1, accepted=False), (None, None), stamp())
    certified = store.certifications.certify(certification(draft, override="the best we have"))
    warnings = store.resolve(SERIAL, NOON + 365 * DAY, 150.0, as_known_at=certified.number).warnings
    assert warnings == (
        "the data are later than 2026-03-01T12:00:00.000002Z; certifications recorded since then "
        "are ignored.",
        "24-0107:2 failed acceptance and is certified with an override: the best we have",
        "24-0107:2 is certified until further notice, but the data were taken 365 days after it "
        "was last measured or certified.",
    )


def test_an_override_that_was_not_needed_gives_no_warning(
    store: Store, stored: StoredCalibration
) -> None:
    store.certifications.certify(certification(stored, override="the best we have"))
    assert store.resolve(SERIAL, NOON, 150.0).warnings == ()


def test_an_overlap_is_refused_with_its_region(store: Store, stored: StoredCalibration) -> None:
    newer, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    store.certifications.certify(certification(stored, NOON, NOON + 2 * DAY, (100.0, 300.0)))
    new = certification(newer, NOON + DAY, None, (200.0, 400.0))
    with pytest.raises(InputError) as caught:
        store.certifications.certify(new)
    assert caught.value.code == "overlap"
    assert caught.value.problem == (
        "24-0107:2 would replace certifications in force: 24-0107:1 (certification 3) from "
        "2026-03-02T12:00:00Z to 2026-03-03T12:00:00Z, 200 to 300 mm."
    )
    assert "--supersede" in caught.value.remedy
    assert len(store.certifications.list(SERIAL)) == 1
    store.certifications.certify(new, supersede=True)


@pytest.mark.parametrize("gap_mm", [-1.0, float("nan"), float("inf")])
def test_a_gap_must_be_a_finite_length(stored: StoredCalibration, gap_mm: float) -> None:
    with pytest.raises(InputError, match=r"extrapolation limit of .* is not a finite number"):
        replace(certification(stored), gap_mm=gap_mm)
    with pytest.raises(InputError, match="the distance range has no upper limit"):
        certification(stored, distances_mm=(1.0, float("inf")))
