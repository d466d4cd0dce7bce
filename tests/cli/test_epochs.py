"""Epochs that are no dates: the time of the data is unknown, and a note says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.model.base.bounds import LAST_INSTANT
from support.commands import calib, done

RELATIVE = "is before 1980, so it counts from the start of the scan and is not a date"
BEYOND = "is not a date from 1980 to 2200"
NOT_A_NUMBER = "an epoch in it is not a number"
EPOCHS = [
    (1.0, RELATIVE),
    (86_400.0, RELATIVE),
    (1, RELATIVE),
    (1.7723556e12, BEYOND),
    (1.7723556e18, BEYOND),
    (1e308, BEYOND),
    (10**300, BEYOND),
    (-1.0, BEYOND),
    (LAST_INSTANT.timestamp(), BEYOND),
    (None, NOT_A_NUMBER),
    (float("nan"), NOT_A_NUMBER),
    (float("inf"), NOT_A_NUMBER),
    (10**400, NOT_A_NUMBER),
]


def with_epoch(source: str, name: str, epoch: Any) -> Path:
    """The experiment list with another epoch of its first image."""
    content = json.loads(Path(source).read_text())
    for scan in content["scan"]:
        scan["epochs"][0] = epoch
    path = Path(name)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("epoch", "why"), EPOCHS, ids=str)
def test_an_epoch_that_is_no_date_leaves_the_time_unknown(
    certified: Path, epoch: Any, why: str
) -> None:
    target = with_epoch("imported.expt", "target.expt", epoch)
    answer = calib("apply", target, "--json")
    assert (answer.code, answer.error["code"]) == (2, "no-time")
    assert why in answer.error["problem"]
    assert not Path("target_calibrated.expt").exists()
    named = done("apply", target, "--calibration", "24-0107:3", "--dry-run", "--json").json
    assert named["detectors"][0]["data_time"] is None
    assert any(why in warning for warning in named["warnings"])
    dated = done("apply", target, "--at", "2026-03-05", "--dry-run", "--json").json
    assert dated["detectors"][0]["data_time"] == "2026-03-05T00:00:00Z"
    assert not any(why in warning for warning in dated["warnings"])


@pytest.mark.parametrize("epoch", [0.0, 0])
def test_an_epoch_of_zero_is_not_set_and_needs_no_note(certified: Path, epoch: float) -> None:
    target = with_epoch("imported.expt", "target.expt", epoch)
    named = done("apply", target, "--calibration", "24-0107:3", "--dry-run", "--json").json
    assert named["detectors"][0]["data_time"] is None
    assert not any("epoch" in warning for warning in named["warnings"])


def test_a_derivation_from_data_without_a_date_says_so_and_stores_no_time(here: Path) -> None:
    for name in ("night1", "night2"):
        with_epoch(f"{name}.expt", f"{name}.expt", 1.0)
    answer = done("derive", "night1.expt", "night1.refl", "night2.expt", "night2.refl", "--json")
    notes = [line for line in answer.stderr.splitlines() if RELATIVE in line]
    assert sorted(note.split(":")[1].strip() for note in notes) == ["night1", "night2"]
    stored = f"24-0107:{answer.json['calibration']['version']}"
    refused = calib("certify", stored, "--reason", "x", "--json")
    assert (refused.code, refused.error["code"]) == (2, "no-start")
    done("certify", stored, "--reason", "x", "--from", "2026-03-01")


@pytest.mark.parametrize("name", ["near", "far"])
def test_a_public_scan_with_relative_epochs_has_no_time(
    certified: Path, public_cases: Path, name: str
) -> None:
    done("init", "--store", "other.sqlite")
    files = [public_cases / "06-relative-epochs" / f"{name}.{end}" for end in ("expt", "refl")]
    answer = done("derive", *files, "--store", "other.sqlite", "--dry-run")
    assert RELATIVE in answer.stderr


@pytest.mark.parametrize("name", ["milliseconds", "nanoseconds", "null"])
def test_a_public_epoch_out_of_range_does_not_hinder_an_application(
    certified: Path, public_cases: Path, name: str
) -> None:
    store = ("--store", "other.sqlite")
    done("init", *store)
    near = [public_cases / "06-relative-epochs" / f"near.{end}" for end in ("expt", "refl")]
    done("derive", *near, *store)
    target = public_cases / "07-epoch-out-of-range" / f"{name}.expt"
    assert calib("apply", target, *store, "--json").error["code"] == "no-time"
    found = done("apply", target, *store, "--calibration", "3-0999:1", "--json").json
    assert found["detectors"][0]["data_time"] is None
    assert any("the time of the data is unknown" in text for text in found["warnings"])
