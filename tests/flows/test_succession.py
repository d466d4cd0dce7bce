"""Successions take over whole ranges of distances, and no certification is made twice."""

from __future__ import annotations

import pytest

from calib.errors import InputError
from calib.flows.certify import Certified, certify
from calib.store.store import Store
from support.records import DAY, NOON, calibration, detector, stamp


def add(store: Store, seed: int, *distances_mm: float) -> str:
    """The name of a new calibration of these distances."""
    record = calibration(seed=seed, distances_mm=distances_mm)
    starts = (NOON + seed * DAY,) * len(record.report.datasets)
    return store.calibrations.add(record, starts, stamp(), detector())[0].name


def certified(store: Store, name: str, **options: object) -> Certified:
    given: dict[str, object] = {
        "serial": None, "start": None, "end": None, "min_distance_mm": None,
        "max_distance_mm": None, "gap_mm": None, "reason": "new", "override": "",
        "supersede": False, "partial": True, "stamp": stamp(),
    }  # fmt: skip
    return certify(store, name, **(given | options))  # type: ignore[arg-type]


def range_of(done: Certified) -> tuple[float, float]:
    distances = done.certification.distances
    return distances.minimum_mm, distances.maximum_mm


@pytest.mark.parametrize(
    ("older", "newer", "taken"),
    [
        ((149.93, 158.6), (150.2, 158.4), (74.0, 318.0)),  # 75 to 317 by itself
        ((150.2, 158.4), (149.93, 158.6), (74.0, 318.0)),  # further by itself
        ((150.0, 400.0), (150.0, 372.0), (75.0, 800.0)),  # 56 mm off, the limit is 38
        ((150.0, 400.0), (150.0, 390.0), (75.0, 800.0)),  # 20 mm off, the limit is 39
        ((150.0, 400.0), (240.0, 400.0), (75.0, 800.0)),  # 45 mm off, the limit is 40
    ],
)
def test_a_succession_leaves_no_sliver_within_the_extrapolation_limit(
    store: Store,
    older: tuple[float, ...],
    newer: tuple[float, ...],
    taken: tuple[float, float],
) -> None:
    first = certified(store, add(store, 0, *older))
    second = certified(store, add(store, 1, *newer))
    limit = second.certification.gap_mm
    own = (float(newer[0] // 2.0), float(-(-newer[1] * 2.0 // 1)))
    expected = tuple(
        end if abs(end - near) <= limit else near for end, near in zip(taken, own, strict=True)
    )
    assert range_of(second) == expected
    left = [change.before for change in second.consequences.changes if change.before is not None]
    assert {one.number for one in left} == {first.certification.number}
    assert second.warnings == ()


def test_given_bounds_stay_and_the_sliver_is_shown(store: Store) -> None:
    certified(store, add(store, 0, 150.0, 158.6))
    second = certified(
        store, add(store, 1, 150.0, 158.0), min_distance_mm=76.0, max_distance_mm=317.0
    )
    assert range_of(second) == (76.0, 317.0)
    assert second.warnings == (
        "75 to 76 mm stay with 24-0107:1 from 2026-03-02T12:00:00Z on; use --min-distance 75 if "
        "24-0107:2 is to succeed it there as well.",
        "317 to 318 mm stay with 24-0107:1 from 2026-03-02T12:00:00Z on; use --max-distance 318 "
        "if 24-0107:2 is to succeed it there as well.",
    )
    third = certified(
        store, add(store, 2, 150.0, 158.0), min_distance_mm=75.0, max_distance_mm=318.0
    )
    assert (range_of(third), third.warnings) == ((75.0, 318.0), ())


def test_a_range_is_not_extended_over_a_certification_that_is_no_predecessor(store: Store) -> None:
    certified(store, add(store, 0, 150.0, 158.6))
    later = add(store, 5, 400.0)
    certified(store, later, min_distance_mm=317.5, max_distance_mm=900.0)
    second = certified(store, add(store, 1, 150.0, 158.0))
    assert range_of(second) == (75.0, 316.0)


@pytest.mark.parametrize("options", [{}, {"min_distance_mm": 80.0}, {"end": "2026-04-01"}])
def test_a_second_identical_certification_is_refused(
    store: Store, options: dict[str, object]
) -> None:
    certified(store, add(store, 0, 149.93, 158.6))
    name = add(store, 1, 150.2, 158.4)
    first = certified(store, name, **options)
    for more in ({}, {"reason": "again"}, {"supersede": True}, {"dry_run": True}):
        with pytest.raises(InputError) as caught:
            certified(store, name, **options, **more)
        assert caught.value.code == "certified-already"
        assert caught.value.problem == (
            f"{name} is certified so already (certification {first.certification.number}, by ada: "
            "new)."
        )
    assert len(store.certifications.list("24-0107")) == 2


def test_a_certification_that_another_replaced_can_be_made_again(store: Store) -> None:
    name = add(store, 0, 150.0, 400.0)
    certified(store, name)
    certified(store, add(store, 1, 150.0, 400.0))
    certified(store, name, supersede=True)
    assert store.resolve("24-0107", NOON + 2 * DAY, 150.0).calibration.name == name


def test_a_certification_with_another_limit_or_end_is_another_one(store: Store) -> None:
    name = add(store, 0, 150.0, 400.0)
    certified(store, name)
    certified(store, name, gap_mm=10.0)
    certified(store, name, gap_mm=10.0, end="2027-01-01")
    assert len(store.certifications.list("24-0107")) == 3
