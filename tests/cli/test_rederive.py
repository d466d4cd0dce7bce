"""calib rederive: the same inputs give the same result, and another result is told."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from calib.flows import rederive
from calib.flows.derive import DeriveRequest
from calib.flows.shared import provenance
from calib.model.store.record import CalibrationRecord
from calib.solve.prior import PanelPrior
from support.commands import calib, done


def test_the_same_inputs_on_the_same_machine_give_the_same_bits(here: Path) -> None:
    """The files have moved: what lay elsewhere when it was derived is found by its hash."""
    for reference in ("24-0107:1", "24-0107:3"):
        answer = calib("rederive", reference, "--from", here, "--json")
        assert answer.code == 0
        assert (answer.json["identical"], answer.json["reproduced"]) == (True, True)
        assert answer.json["largest_difference_sigma"] == 0.0
    assert "identical, bit for bit" in done("rederive", "24-0107:1", "--from", here).stdout


def test_parameters_are_those_of_then(here: Path) -> None:
    done(
        "derive", "night2.expt", "night2.refl", "--space-group", "P43212", "--crystals", "varying",
        "--crystal-interval", "30", "--prior-shift-um", "55", "--freedom", "full",
    )  # fmt: skip
    assert done("rederive", "24-0107:4", "--json").json["identical"]


def test_inputs_are_recognised_by_what_they_hold(here: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "archive" / "2026"
    elsewhere.mkdir(parents=True)
    done("derive", "night1.expt", "night1.refl", "--freedom", "full")
    for name in ("night1.expt", "night1.refl"):
        shutil.move(here / name, elsewhere / f"renamed_{name}")
    missing = calib("rederive", "24-0107:4", "--json")
    assert (missing.code, missing.error["code"]) == (1, "inputs-missing")
    assert "night1" in missing.error["problem"]
    assert calib("rederive", "24-0107:4", "--from", tmp_path / "archive").code == 0
    (elsewhere / "renamed_night1.expt").write_text("{}")
    assert calib("rederive", "24-0107:4", "--from", elsewhere, "--json").code == 1
    assert calib("rederive", "24-0107:4", "--from", tmp_path / "nowhere").code == 2


def test_another_machine_may_differ_by_rounding_only(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_processor", lambda: "another one")
    found = done("rederive", "24-0107:1", "--from", here, "--json").json
    assert found["identical"]  # the processor is the same in truth
    assert "another one" in found["environment_differences"][0]


def test_another_result_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a solver would give that had changed: here, by a tighter tolerance."""
    asked = rederive.request_of

    def tighter(record: CalibrationRecord, paths: Sequence[Path]) -> DeriveRequest:
        return replace(asked(record, paths), prior=PanelPrior(shift_mm=0.002))

    monkeypatch.setattr(rederive, "request_of", tighter)
    answer = calib("rederive", "24-0107:1", "--from", here, "--json")
    assert (answer.code, answer.json["identical"], answer.json["reproduced"]) == (1, False, False)
    assert answer.json["largest_difference_sigma"] > 0.1


def test_where_it_was_derived_is_shown(here: Path) -> None:
    found = done("show", "24-0107:1", "--json").json["provenance"]
    assert [Path(one["path"]).name for one in found["inputs"]] != []
    assert {Path(one["path"]).name for one in found["inputs"]} == {"night1.expt", "night1.refl"}
    assert "Derived on" in done("show", "24-0107:1").stdout


def test_what_was_combined_is_combined_again_from_its_own_summaries(here: Path) -> None:
    done("combine", "24-0107:1", "24-0107:2", "--freedom", "full", "--prior-shift-um", "55")
    for path in (*here.glob("*.expt"), *here.glob("*.refl")):
        path.unlink()
    answer = done("rederive", "24-0107:4", "--json").json
    assert (answer["identical"], answer["reproduced"]) == (True, True)


def carried(reference: str, store: Path, *words: str) -> tuple[str, str]:
    """A calibration carried alone to a store that is made if need be; the words that name it."""
    bundle = store.with_suffix(".calib-bundle")
    done("bundle", "create", reference, "-o", bundle, "--force", *words)
    done("init", "--store", store)
    done("bundle", "load", bundle, "--store", store)
    return "--store", str(store)


def test_what_was_added_to_another_is_derived_again_without_that_one(
    here: Path, tmp_path: Path
) -> None:
    done("derive", "night2.expt", "night2.refl", "--onto", "24-0107:1")
    (here / "night1.refl").unlink()
    assert done("rederive", "24-0107:4", "--json").json["identical"]
    there = carried("24-0107:4", tmp_path / "with.sqlite", "--with-usage")
    assert done("rederive", "24-0107:1", "--json", *there).json["identical"]
    # Without the places of its files only the other one tells which of them were read.
    there = carried("24-0107:4", tmp_path / "bare.sqlite")
    missing = calib("rederive", "24-0107:1", "--from", here, "--json", *there)
    assert (missing.code, missing.error["code"]) == (1, "parent-missing")
    first = done("show", "24-0107:1", "--json").json["calibration"]["id"]
    assert f"a bundle of the whole detector or of {first[:12]}" in missing.error["remedy"]
    carried("24-0107:1", tmp_path / "bare.sqlite")
    assert done("rederive", "24-0107:1", "--from", here, "--json", *there).json["identical"]
