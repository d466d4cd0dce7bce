"""Extremes in receipts, bundles, summaries and calls: refused, or readable for ever after."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import calib
from calib.errors import CalibError, InputError
from calib.files.native.bundle import read_bundle
from calib.model.base.canonical import content_id
from support.bundles import forged, sent
from support.commands import done
from support.extremes import ANYTHING, NUMBERS, answered, few, leaves, patience, with_leaf

ABOUT = (
    ("usage", "list"),
    ("affected", "24-0107:1"),
    ("show", "24-0107:1"),
    ("history", "24-0107"),
    ("detector", "show", "24-0107"),
    ("audit", "verify"),
)
RECEIPT = "calibrated.expt.calib.json"
FORGED = (
    ("detector", ("time_zone", "description", "layout")),
    ("certification", ("valid_from", "valid_to", "distance_min_mm", "distance_max_mm", "reason")),
    ("application", ("data_time", "distance_mm", "output_names", "applied_at", "actor", "version")),
    ("placement", ("placed_from", "beamline", "reason")),
    ("calibration_dataset", ("started", "ordinal")),
    ("panel", ("dx", "rx", "n_reflections", "name")),
)
INSTANTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12))),
    datetime(1899, 12, 31, tzinfo=UTC),
    datetime(2200, 1, 1, 0, 0, 1, tzinfo=UTC),
)


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The application with the id that fits its values, where there is one."""
    hashed = {key: value for key, value in content.items() if key != "id"}
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        applied = hashed["applied"]
        times = {
            "data_time": _instant(hashed["data_time"]),
            "applied": {**applied, "at": _instant(applied["at"])},
        }
        return {
            **content,
            "id": content_id({"format": "calib/application/1", **hashed, **times}),
        }
    return content


def _instant(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


@few(25)
@given(st.data())
def test_an_extreme_in_a_receipt_is_refused_or_listed_for_ever(
    here: Path, data: st.DataObject
) -> None:
    content = json.loads(Path(RECEIPT).read_text())
    one = content["applications"][0]
    path = data.draw(st.sampled_from([path for path in leaves(one) if path != ("id",)]))
    content["applications"][0] = sealed(with_leaf(one, path, data.draw(ANYTHING)))
    Path("extreme.calib.json").write_text(json.dumps(content))
    if answered("usage", "push", "extreme.calib.json").code == 0:
        for words in ABOUT[:3]:
            assert answered(*words).code == 0


@few(12)
@given(st.data())
def test_an_extreme_in_a_bundle_is_refused_or_readable_for_ever(
    here: Path, data: st.DataObject
) -> None:
    table, columns = data.draw(st.sampled_from(FORGED))
    column = data.draw(st.sampled_from(columns))
    value = data.draw(ANYTHING | st.sampled_from(INSTANTS))
    whole = read_bundle(Path("all.calib-bundle"))
    try:
        path = sent(forged(whole, table, column, value), here)
    except (CalibError, ValueError, TypeError):
        return  # no bundle can hold it
    for old in here.glob("other.sqlite*"):
        old.unlink()
    store = ("--store", "other.sqlite")
    done("init", *store)
    loaded = answered("bundle", "load", path, "--adopt", *store)
    if loaded.code:
        loaded = answered("bundle", "load", path, *store)
    if loaded.code == 0:
        for words in ABOUT:
            assert answered(*words, *store).code == 0


@few(30)
@given(
    st.sampled_from([n for n in NUMBERS if n != 0.0]),
    st.sampled_from(["2026-03-05", *INSTANTS]),
    st.sampled_from([None, *NUMBERS[:12], *INSTANTS]),
)
def test_an_extreme_in_a_call_is_answered_or_raises_an_error_of_calib(
    here: Path, distance_mm: Any, at: Any, known: Any
) -> None:
    position = int(known) if isinstance(known, float) and abs(known) < 1e30 else known
    with patience(), suppress(CalibError):
        calib.resolve("24-0107", at=at, distance_mm=distance_mm, as_known_at=position)
    with patience(), suppress(InputError):
        calib.certify("24-0107:1", reason="x", start=at, max_distance_mm=distance_mm, dry_run=True)
