"""A store with values out of bounds, which earlier programs recorded, opens, lists and audits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import Application, StoredCalibration
from calib.store.store import Store
from support.commands import calib, done
from support.records import application, certification, stamp

FAR_EAST, FAR_WEST = timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))
BEFORE = datetime(1, 1, 1, tzinfo=FAR_EAST)
"""In year 0 in UTC, which no datetime can say."""
BEHIND = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=FAR_WEST)
EXTREMES: dict[str, dict[str, Any]] = {
    "before the calendar": {"data_time": BEFORE},
    "behind the calendar": {"data_time": BEHIND},
    "first instant": {"data_time": datetime.min.replace(tzinfo=UTC)},
    "last instant": {"data_time": datetime.max.replace(tzinfo=UTC)},
    "applied before the calendar": {"applied": stamp(BEFORE)},
    "no names": {"output_names": ()},
    "no hashes": {"output_sha256": (), "input_sha256": ()},
    "control characters": {"output_names": ("a\n\x1b[2J.expt",), "why": "\x1b[2J"},
    "long": {"output_names": ("a" * 10_000,)},
    "huge distance": {"distance_mm": 1e308},
    "negative distance": {"distance_mm": -1e308},
    "tiny distance": {"distance_mm": 5e-324},
    "largest version": {"version": 2**31 - 1},
}


@pytest.fixture
def recorded(certified: Path) -> Iterator[dict[str, Application]]:
    """The applications as a program that checked nothing recorded them."""
    with Store.open(certified / "beamline.sqlite") as store:
        one = application(store.calibrations.get("24-0107:3"))
        found = {
            name: replace(one, **{"output_names": (f"{name}.expt",), **change})
            for name, change in EXTREMES.items()
        }
    with Store.open(certified / "beamline.sqlite") as store:
        for extreme in found.values():
            _record_unchecked(store, extreme)
    yield found


def _record_unchecked(store: Store, one: Application) -> None:
    """Record a receipt that contradicts its calibration, as earlier programs did."""
    from calib.store.records.applications import add_application

    with store._database.writing() as connection:
        assert add_application(connection, one, stamp(), any_version=True)


def test_such_applications_are_listed_and_verified(recorded: dict[str, Application]) -> None:
    listed = done("usage", "list", "--json").json
    assert {one["id"] for one in listed} >= {one.id for one in recorded.values()}
    by_id = {one["id"]: one for one in listed}
    assert by_id[recorded["before the calendar"].id]["data_time"].startswith("000")
    assert by_id[recorded["first instant"].id]["data_time"] == "0001-01-01T00:00:00Z"
    table = done("usage", "list").stdout
    assert "\x1b" not in table
    assert len(done("usage", "list", "--serial", "24-0107", "--json").json) == len(listed)


def test_every_command_about_the_calibration_still_answers(
    recorded: dict[str, Application],
) -> None:
    for words in (
        ("affected", "24-0107:3"),
        ("show", "24-0107:3"),
        ("show", "24-0107:3", "--as-known-at", "6"),
        ("history", "24-0107"),
        ("history", "24-0107", "--at", "2026-03"),
        ("detector", "show", "24-0107"),
        ("list",),
        ("audit", "log"),
        ("audit", "verify"),
        ("db", "check"),
        ("resolve", "24-0107", "--at", "2026-03-05", "--distance", "200", "--explain"),
        ("withdraw", "24-0107:3", "--reason", "x", "--dry-run"),
    ):
        done(*words)
        json.loads(done(*words, "--json").stdout)
    shown = done("affected", "24-0107:3", "--json").json
    assert shown["n_files"] == len(recorded)


def test_what_was_recorded_of_an_impossible_time_is_given_back_exactly(
    recorded: dict[str, Application], certified: Path
) -> None:
    with Store.open(certified / "beamline.sqlite", read_only=True) as store:
        found = {one.id: one for one in store.applications.list()}
    assert found[recorded["before the calendar"].id].data_time == BEFORE
    assert found[recorded["behind the calendar"].id].data_time == BEHIND


@pytest.fixture
def wide(here: Path) -> StoredCalibration:
    """A calibration certified and a detector placed from the first to the last instant."""
    with Store.open(here / "beamline.sqlite") as store:
        found = store.calibrations.get("24-0107:3")
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        store.certifications.certify(
            certification(found, first, last, (0.0, 1.7e308), recorded=stamp())
        )
        for start in (first, last):
            store.placements.place(
                BeamlinePlacement(0, "24-0107", "I04", start, "", stamp()), stamp()
            )
    return found


def test_certifications_and_placements_at_the_limits_are_listed(wide: StoredCalibration) -> None:
    for words in (
        ("show", wide.name),
        ("history", "24-0107"),
        ("history", "24-0107", "--at", "2026-03"),
        ("history", "24-0107", "--panel", "1", "--at", "2026"),
        ("detector", "show", "24-0107"),
        ("affected", wide.name),
        ("audit", "verify"),
        ("resolve", "24-0107", "--at", "2026-03-05", "--distance", "200", "--explain"),
        ("apply", "imported.expt", "--at", "2199-01-01", "--dry-run"),
        ("bundle", "create", "24-0107", "-o", "wide.calib-bundle"),
        ("bundle", "show", "wide.calib-bundle"),
        ("certify", wide.name, "--reason", "narrow", "--from", "2026-03-01", "--supersede"),
        ("withdraw", wide.name, "--reason", "wide"),
    ):
        done(*words, "--json") if words[0] != "bundle" else done(*words)
    missed = calib("resolve", "24-0107", "--at", "2026-03-05", "--distance", "200", "--json")
    assert (missed.code, missed.error["code"]) == (1, "not-certified")


def test_the_history_of_such_a_store_moves_in_a_bundle(wide: StoredCalibration) -> None:
    done("bundle", "create", "24-0107", "-o", "wide.calib-bundle")
    done("init", "--store", "other.sqlite")
    done("bundle", "load", "wide.calib-bundle", "--store", "other.sqlite")
    for words in (("history", "24-0107"), ("show", "24-0107:1"), ("audit", "verify")):
        done(*words, "--store", "other.sqlite", "--json")
