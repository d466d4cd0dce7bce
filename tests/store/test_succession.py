"""Which certifications take over from one that holds, and which must say that they replace it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from calib.errors import InputError
from calib.model.store.record import StoredCalibration
from calib.store.store import Store
from support.records import DAY, NOON, calibration, certification, stamp

TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("end", "later", "succeeds"),
    [
        (None, TICK, True),
        (None, timedelta(0), False),
        (None, -TICK, False),
        (2 * DAY, DAY, False),
        (2 * DAY, 2 * DAY, True),
    ],
)
def test_only_a_later_start_takes_over_from_an_open_ended_certification_by_itself(
    store: Store,
    stored: StoredCalibration,
    end: timedelta | None,
    later: timedelta,
    succeeds: bool,
) -> None:
    """Not one that starts with it or before, nor within one with an end; past its end there is
    nothing to replace."""
    newer, _ = store.calibrations.add(calibration(seed=1), (None, None), stamp())
    first = certification(stored, NOON, None if end is None else NOON + end)
    store.certifications.certify(first)
    second = certification(newer, NOON + later)
    if succeeds:
        store.certifications.certify(second)
        return
    with pytest.raises(InputError) as caught:
        store.certifications.certify(second)
    assert caught.value.code == "overlap"
    store.certifications.certify(second, supersede=True)
