"""Registering a detector: once, and without changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calib.errors import InputError, LayoutError
from calib.flows.detectors import Registered, register
from calib.model.store.record import ChangeStamp
from calib.store.store import Store

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")


def registered(store: Store, layout: str, zone: str | None, *, dry_run: bool) -> Registered:
    return register(
        store,
        "3-0999",
        experiments=None,
        layout=layout,
        time_zone=zone,
        description="",
        stamp=STAMP,
        dry_run=dry_run,
    )


def test_a_dry_run_gives_the_answer_of_the_real_run(store: Store) -> None:
    for dry_run in (True, False):
        assert registered(store, "PILATUS 300K", "Europe/London", dry_run=dry_run).new
    for dry_run in (True, False):
        again = registered(store, "PILATUS 300K", None, dry_run=dry_run)
        assert (again.new, again.record.time_zone) == (False, "Europe/London")
        with pytest.raises(LayoutError, match="another layout"):
            registered(store, "PILATUS 1M", None, dry_run=dry_run)


def test_another_time_zone_is_refused_and_nothing_changes(store: Store) -> None:
    registered(store, "PILATUS 300K", "Europe/London", dry_run=False)
    for dry_run in (True, False):
        with pytest.raises(InputError, match="Europe/London, not Asia/Tokyo"):
            registered(store, "PILATUS 300K", "Asia/Tokyo", dry_run=dry_run)
    assert store.detectors.get("3-0999").time_zone == "Europe/London"
