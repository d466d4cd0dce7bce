"""Bundles whose log and hashes were rewritten to match values out of bounds are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calib.errors import CalibError
from calib.model.store.bundle import Bundle
from calib.model.store.log import by_id
from calib.store.store import Store
from support.bundles import forged
from support.raw import everything
from support.records import DAY, NOON, SERIAL, detector, stamp

BY_CLEO = stamp(NOON + 9 * DAY, "cleo", "elsewhere")
FIRST = datetime.min.replace(tzinfo=UTC)


def layout_with(change: Callable[[dict[str, Any]], None]) -> str:
    content = detector().layout.content()
    change(content)
    return json.dumps(content)


def refused(store: Store, place: str, bundle: Bundle, *, adopt: bool = False) -> str:
    before = everything(place)
    with pytest.raises(CalibError) as caught:
        store.bundles.load(bundle, BY_CLEO, adopt=adopt)
    assert caught.value.exit_code == 2
    assert everything(place) == before
    return caught.value.problem


@pytest.mark.parametrize(
    ("table", "column", "value", "problem"),
    [
        ("detector", "time_zone", "Europe/Atlantis", "is not a time zone"),
        ("detector", "time_zone", "../etc/passwd", "is not a time zone"),
        ("detector", "description", "\x1b[2J", "the description of the detector contains"),
        ("detector", "description", "a" * 2001, "the description of the detector has 2001"),
        ("certification", "reason", "\x1b[2J", "contains the control character"),
        ("withdrawal", "reason", "a\nb", "contains the control character"),
        ("placement", "beamline", "I\t04", "contains the control character"),
        ("placement", "reason", "x" * 2001, "has 2001 characters"),
    ],
    ids=str,
)
def test_a_forged_name_is_refused(
    home: Store, place: str, store: Store, table: str, column: str, value: object, problem: str
) -> None:
    bundle = forged(home.bundles.export(SERIAL, with_usage=True), table, column, value)
    assert problem in refused(store, place, bundle)


@pytest.mark.parametrize(
    "stamped",
    [
        {"actor": "ada\x1b[2J"},
        {"actor": "-rf"},
        {"actor": "a" * 201},
        {"host": "a\nb"},
        {"reason": "a\nb"},
        {"at": FIRST},
    ],
    ids=str,
)
def test_a_forged_entry_is_refused(
    home: Store, place: str, store: Store, stamped: dict[str, Any]
) -> None:
    bundle = home.bundles.export(SERIAL, with_usage=True)
    entries = []
    for one in bundle.entries:
        recorded = replace(one.entry.recorded, **stamped)
        entry = replace(one.entry, recorded=recorded)
        entries.append(replace(one, entry=entry, by=by_id(recorded, entry.salt)))
    refused(store, place, forged(replace(bundle, entries=tuple(entries)), "none", "none", None))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("valid_to", datetime.max.replace(tzinfo=UTC)),
        ("valid_from", FIRST),
        ("distance_max_mm", 1e308),
        ("gap_mm", 1e308),
    ],
    ids=str,
)
def test_a_certification_out_of_bounds_is_history_and_not_adopted(
    home: Store, place: str, store: Store, column: str, value: object
) -> None:
    bundle = forged(home.bundles.export(SERIAL), "certification", column, value)
    assert "out of range" in refused(store, place, bundle, adopt=True)
    assert store.bundles.load(bundle, BY_CLEO).n_history
    assert store.certifications.list(SERIAL) == []
    assert store.bundles.origins(serial=SERIAL)
