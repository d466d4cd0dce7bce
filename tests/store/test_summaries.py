"""Summaries in the store are read back as they were stored, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calib.errors import InputError, IntegrityError
from calib.model.result.summary import SummaryFile
from calib.store.store import Store
from support import raw
from support.records import NOON, calibration, detector, stamp, with_summaries


def test_summaries_are_read_back_in_the_order_of_the_datasets(store: Store) -> None:
    record, files = with_summaries(calibration())
    stored, _ = store.calibrations.add(record, (NOON, None), stamp(), detector(), files)
    assert store.summaries.read(stored) == files
    assert files[-1] is None


def test_a_calibration_from_before_summaries_has_none(store: Store) -> None:
    stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
    assert store.summaries.read(stored) == (None, None)


def test_a_summary_shared_by_two_calibrations_is_stored_once(place: str, store: Store) -> None:
    record, files = with_summaries(calibration())
    other, _ = with_summaries(calibration(seed=1))
    report = replace(other.report, datasets=record.report.datasets)
    one, _ = store.calibrations.add(record, (NOON, None), stamp(), detector(), files)
    # Another library writes other bytes for the same content: the first ones stay.
    again = tuple(file and SummaryFile(file.id, file.content + b"!") for file in files)
    two, _ = store.calibrations.add(
        replace(other, report=report), (NOON, None), stamp(), summaries=again
    )
    assert store.summaries.read(one) == store.summaries.read(two) == files
    assert len(raw.rows(place, "summary")) == 1
    assert len(raw.rows(place, "calibration_summary")) == 2
    assert store.log.audit().findings == ()


def test_a_report_and_summaries_that_do_not_belong_together_are_refused(store: Store) -> None:
    record, files = with_summaries(calibration())
    for wrong in ((), (SummaryFile("0" * 64, b""), None)):
        with pytest.raises(InputError) as caught:
            store.calibrations.add(record, (NOON, None), stamp(), detector(), wrong)
        assert caught.value.code == "other-summaries"
    with pytest.raises(InputError):
        store.calibrations.add(calibration(), (NOON, None), stamp(), detector(), files)
    assert store.detectors.list() == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE artifact SET content = 'x' WHERE kind = 'summary'",
        "DELETE FROM calibration_summary",
        "UPDATE calibration_summary SET ordinal = 1",
        "DELETE FROM artifact WHERE kind = 'summary'",
    ],
)
def test_a_changed_summary_is_found_on_reading(place: str, store: Store, damage: str) -> None:
    record, files = with_summaries(calibration())
    stored, _ = store.calibrations.add(record, (NOON, None), stamp(), detector(), files)
    raw.tamper(place, damage)
    with pytest.raises(IntegrityError):
        store.summaries.read(stored)
