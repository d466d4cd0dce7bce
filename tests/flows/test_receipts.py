"""Receipts: what was applied, written beside the output, delivered to the store once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calib.errors import CalibError, FileFormatError, InputError, MissingFileError
from calib.flows.receipts import push, read_receipt, receipt_bytes, receipt_path
from calib.model.base.canonical import content_id
from calib.model.base.content import to_content
from calib.model.store.record import Application, ChangeStamp, StoredCalibration
from calib.store.store import Store
from support.records import application, calibration, detector, stamp

LATER = ChangeStamp(datetime(2026, 3, 9, tzinfo=UTC), "grace", "office")


def stored(store: Store) -> StoredCalibration:
    record = calibration()
    starts = (None,) * len(record.report.datasets)
    found, _ = store.calibrations.add(record, starts, stamp(), detector())
    return found


def receipts(store: Store, folder: Path, n: int) -> list[Application]:
    """Receipts of n applications in a folder and below it."""
    found = stored(store)
    made = [application(found, f"file{k}.expt") for k in range(n)]
    for k, one in enumerate(made):
        place = folder / f"{k % 2}" / f"file{k}.expt"
        place.parent.mkdir(parents=True, exist_ok=True)
        receipt_path(place).write_bytes(receipt_bytes([one]))
    return made


def test_a_receipt_is_written_beside_the_output() -> None:
    assert receipt_path(Path("a/b.expt")) == Path("a/b.expt.calib.json")


def test_a_receipt_is_read_as_it_was_written(store: Store, tmp_path: Path) -> None:
    one = application(stored(store))
    other = replace(one, data_time=None, output_names=("ä.expt", "ä.refl"))
    path = tmp_path / "a.calib.json"
    path.write_bytes(receipt_bytes([one, other]))
    assert read_receipt(path) == [one, other]
    assert [entry["id"] for entry in json.loads(path.read_text())["applications"]] == [
        one.id,
        other.id,
    ]


def test_receipts_are_delivered_once(store: Store, tmp_path: Path) -> None:
    made = receipts(store, tmp_path / "data", 5)
    first = push([tmp_path / "data"], store, LATER)
    assert (first.recorded, first.already, len(first.files)) == (5, 0, 5)
    again = push([tmp_path / "data"], store, LATER)
    assert (again.recorded, again.already) == (0, 5)
    assert {one.id for one in store.applications.list()} == {one.id for one in made}


def test_a_delivered_application_keeps_who_applied_it_and_when(
    store: Store, tmp_path: Path
) -> None:
    (one,) = receipts(store, tmp_path / "data", 1)
    push([tmp_path / "data"], store, LATER)
    (found,) = store.applications.list()
    assert found.applied == one.applied
    assert found.applied.at < LATER.at - timedelta(days=1)


def test_a_dry_run_counts_and_delivers_nothing(store: Store, tmp_path: Path) -> None:
    receipts(store, tmp_path / "data", 3)
    push([tmp_path / "data" / "1"], store, LATER)
    found = push([tmp_path / "data"], store, LATER, dry_run=True)
    assert (found.recorded, found.already) == (2, 1)
    assert len(store.applications.list()) == 1


def test_one_bad_receipt_delivers_none_of_them(store: Store, tmp_path: Path) -> None:
    receipts(store, tmp_path / "data", 3)
    (tmp_path / "data" / "0" / "zz.expt.calib.json").write_text("{")
    with pytest.raises(FileFormatError, match="it is not JSON"):
        push([tmp_path / "data"], store, LATER)
    assert len(store.applications.list()) == 0


def test_a_receipt_of_a_calibration_that_the_store_does_not_know_is_refused(
    store: Store, tmp_path: Path
) -> None:
    one = replace(application(stored(store)), calibration_id="0" * 64)
    path = tmp_path / "a.calib.json"
    path.write_bytes(receipt_bytes([one]))
    with pytest.raises(CalibError) as caught:
        push([path], store, LATER)
    assert caught.value.exit_code in {1, 2}
    assert len(store.applications.list()) == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c["applications"][0].update(version=7), "was changed after it was written"),
        (lambda c: c["applications"][0].update(why="because"), "was changed after it was written"),
        (lambda c: c["applications"][0].pop("why"), "a field is missing or malformed"),
        (lambda c: c.update(format="calib/receipt/9"), "its format is not calib/receipt/1"),
        (lambda c: c.pop("applications"), "a field is missing or malformed"),
    ],
    ids=["version", "why", "missing", "format", "empty"],
)
def test_a_changed_receipt_is_refused(
    store: Store, tmp_path: Path, change: object, problem: str
) -> None:
    content = json.loads(receipt_bytes([application(stored(store))]))
    change(content)  # type: ignore[operator]
    path = tmp_path / "a.calib.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FileFormatError) as caught:
        read_receipt(path)
    assert problem in str(caught.value)
    assert caught.value.place == str(path)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1.0},
        {"version": True},
        {"version": 0},
        {"version": 2**64},
        {"version": "1"},
        {"serial": ["24-0107"]},
        {"serial": None},
        {"calibration_id": {}},
        {"data_time": True},
        {"data_time": "2026-03-01"},
        {"distance_mm": None},
        {"distance_mm": 10**400},
        {"output_names": [[1, 2]]},
        {"output_names": "a.expt"},
        {"why": 7},
        {"why": "a\0b"},
        {"applied": {"at": "2026-03-01T00:00:00+00:00", "actor": 1, "host": "h"}},
    ],
    ids=str,
)
def test_a_receipt_with_wrong_types_is_not_recorded_even_with_a_valid_id(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    content = to_content(application(stored(store))) | change
    try:
        sealed = content_id({"format": "calib/application/1", **content})
    except ValueError:  # nobody can
        sealed = "0" * 64
    receipt = {"format": "calib/receipt/1", "applications": [{"id": sealed, **content}]}
    path = tmp_path / "a.calib.json"
    path.write_text(json.dumps(receipt, default=lambda t: t.isoformat()))
    with pytest.raises(FileFormatError, match=r"is not a receipt of calib|was changed after"):
        push([path], store, LATER)
    assert store.applications.list() == []


@pytest.mark.parametrize("text", ["", "[]", "7", "not json", '{"format": 1}'])
def test_another_file_is_refused_as_a_receipt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.calib.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="this is not a receipt of calib"):
        read_receipt(path)


def test_a_missing_receipt_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        push([tmp_path / "nothing.calib.json"], store, LATER)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data_time": "0001-01-01T00:00:00+14:00"}, "the time of the data is"),
        ({"data_time": "9999-12-31T23:59:59-12:00"}, "the time of the data is"),
        ({"data_time": "1899-12-31T23:59:59+00:00"}, "the time of the data is"),
        ({"distance_mm": 1e308}, "the distance is 1e+308"),
        ({"distance_mm": -1e308}, "the distance is -1e+308"),
        ({"distance_mm": 0.0}, "the distance is 0"),
        ({"version": 2**31}, "its version is 2147483648"),
        ({"output_names": []}, "the name of an output file is missing"),
        ({"output_names": [""]}, "the name of an output file is empty"),
        ({"output_names": ["a\nb"]}, "the name of an output file contains the control character"),
        ({"output_names": ["a\u2028b"]}, "the name of an output file contains the control"),
        ({"output_names": ["-rf"]}, "the name of an output file begins with a dash"),
        ({"output_names": ["a" * 201]}, "the name of an output file has 201 characters"),
        ({"output_names": ["../a.expt"]}, "the name of an output file contains a folder"),
        ({"output_sha256": []}, "the hash of an output file is missing"),
        ({"input_sha256": ["x"]}, "the hash of an input file is not a SHA-256"),
        ({"calibration_id": "abcd"}, "the id of its calibration is not a SHA-256"),
        ({"serial": "-x"}, "'-x' cannot be a serial number"),
        ({"serial": "a:b"}, "'a:b' cannot be a serial number"),
        ({"serial": "a\x1b"}, "cannot be a serial number"),
        ({"why": "\x1b[2J"}, "the reason for the choice contains the control character"),
        ({"applied": {"actor": "a\tb"}}, "the name of the actor contains the control character"),
        ({"applied": {"actor": ""}}, "the name of the actor is empty"),
        ({"applied": {"host": "-h"}}, "the name of the host begins with a dash"),
        ({"applied": {"at": "0001-01-01T00:00:00+14:00"}}, "the time of the record is"),
        ({"applied": {"command": "calib apply"}}, "it contains a command or a reason"),
    ],
    ids=str,
)
def test_a_sealed_receipt_out_of_bounds_is_not_recorded(
    store: Store, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    content = to_content(application(stored(store)))
    for key, value in change.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    times = {"data_time": content["data_time"], "applied": content["applied"] | {}}
    hashed = content | {
        "data_time": _instant(times["data_time"]),
        "applied": times["applied"] | {"at": _instant(times["applied"]["at"])},
    }
    sealed = content_id({"format": "calib/application/1", **hashed})
    path = tmp_path / "a.calib.json"
    receipt = {"format": "calib/receipt/1", "applications": [{"id": sealed, **content}]}
    path.write_text(json.dumps(receipt, default=lambda t: t.isoformat()))
    with pytest.raises(FileFormatError) as caught:
        push([path], store, LATER)
    assert (caught.value.code, caught.value.place) == ("no-receipt", str(path))
    assert problem in caught.value.problem
    assert store.applications.list() == []


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("change", [{"version": 2}, {"serial": "24-0108"}], ids=str)
def test_a_receipt_that_disagrees_with_its_calibration_records_none_of_those_given(
    store: Store, tmp_path: Path, change: dict[str, Any], dry_run: bool
) -> None:
    right = application(stored(store))
    for name, one in (("a", right), ("b", replace(right, **change))):
        receipt_path(tmp_path / name).write_bytes(receipt_bytes([one]))
    with pytest.raises(InputError, match=r"but its calibration .* is 24-0107:1") as caught:
        push([tmp_path], store, LATER, dry_run=dry_run)
    assert caught.value.code == "receipt-disagrees"
    assert store.applications.list() == []
    assert push([receipt_path(tmp_path / "a")], store, LATER).recorded == 1
