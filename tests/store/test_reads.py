"""Reads in sequence, in parallel and after errors: each sees one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from calib.errors import IntegrityError, NotFoundError
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.records import DAY, NOON, SERIAL, calibration, certification, detector, stamp


def fill(place: str) -> None:
    """Make a store of one certified calibration."""
    Store.create(place)
    with Store.open(place) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))


@pytest.fixture
def filled(copy_of: Callable[[Fill], str]) -> str:
    """A store of one certified calibration."""
    return copy_of(fill)


def test_a_failed_read_does_not_affect_later_ones(filled: str) -> None:
    with Store.open(filled) as store:
        for _ in range(3):
            with pytest.raises(NotFoundError):
                store.resolve("nobody", NOON + DAY, 150.0)
            assert store.resolve(SERIAL, NOON + DAY, 150.0).calibration.version == 1
        newer, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
        assert newer.version == 2


def test_each_read_sees_what_others_wrote_before_it(filled: str) -> None:
    with Store.open(filled) as reader, Store.open(filled) as writer:
        for version in (2, 3):
            before = reader.resolve(SERIAL, NOON + DAY, 150.0).position
            newer, _ = writer.calibrations.add(calibration(seed=version), (None, None), stamp())
            assert newer.version == version
            assert reader.resolve(SERIAL, NOON + DAY, 150.0).position == before + 1


def test_a_closed_store_can_be_used_again(filled: str) -> None:
    with Store.open(filled) as store:
        for _ in range(2):
            assert store.resolve(SERIAL, NOON + DAY, 150.0).calibration.version == 1
            store.close()


def test_threads_can_read_at_the_same_time(filled: str) -> None:
    with Store.open(filled) as store, ThreadPoolExecutor(4) as threads:
        found = list(
            threads.map(lambda _: store.resolve(SERIAL, NOON + DAY, 150.0).position, range(40))
        )
        assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("freedom", "some"), ("parameters", "{"), ("reasons", "[1e999]"), ("distances_mm", "7")],
)
def test_a_row_that_cannot_be_parsed_is_reported_as_changed(
    filled: str, column: str, value: str
) -> None:
    trigger = "ALTER TABLE calibration DISABLE TRIGGER USER"
    if not raw.is_postgres(filled):
        [(trigger,)] = raw.execute(
            filled,
            "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' "
            "AND tbl_name = 'calibration' AND sql LIKE '%BEFORE UPDATE%'",
        )
    raw.execute(filled, trigger)
    raw.execute(filled, f"UPDATE calibration SET {column} = ?", value)
    with Store.open(filled) as store, pytest.raises(IntegrityError) as caught:
        store.resolve(SERIAL, NOON + DAY, 150.0)
    assert caught.value.code == "changed-calibration"
