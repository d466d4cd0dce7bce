"""calib rederive: the same inputs give the same result; another result is exit code 1."""

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


def test_the_same_inputs_give_the_same_bits(here: Path) -> None:
    """The files have moved; they are found by their hashes."""
    for reference in ("24-0107:1", "24-0107:3"):
        answer = calib("rederive", reference, "--from", here, "--json")
        assert answer.code == 0
        assert (answer.json["identical"], answer.json["reproduced"]) == (True, True)
        assert answer.json["largest_difference_sigma"] == 0.0
    assert "identical, bit for bit" in done("rederive", "24-0107:1", "--from", here).stdout


def test_parameters_are_those_of_the_first_derivation(here: Path) -> None:
    done(
        "derive", "night2.expt", "night2.refl", "--space-group", "P43212", "--crystals", "varying",
        "--crystal-interval", "30", "--prior-shift-um", "55", "--freedom", "full",
    )  # fmt: skip
    assert done("rederive", "24-0107:4", "--json").json["identical"]


def test_inputs_are_recognised_by_their_content(here: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "archive" / "2026"
    elsewhere.mkdir(parents=True)
    done("derive", "night1.expt", "night1.refl", "--freedom", "in-plane")
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
    assert found["identical"]  # the processor is the same in fact
    assert "another one" in found["environment_differences"][0]


def test_another_result_is_1(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a changed solver would give: here, with a tighter tolerance."""
    asked = rederive.request_of

    def tighter(record: CalibrationRecord, paths: Sequence[Path]) -> DeriveRequest:
        return replace(asked(record, paths), prior=PanelPrior(shift_mm=0.002))

    monkeypatch.setattr(rederive, "request_of", tighter)
    answer = calib("rederive", "24-0107:1", "--from", here, "--json")
    assert (answer.code, answer.json["identical"], answer.json["reproduced"]) == (1, False, False)
    assert answer.json["largest_difference_sigma"] > 0.1


def test_the_machine_of_the_derivation_is_shown(here: Path) -> None:
    found = done("show", "24-0107:1", "--json").json["provenance"]
    assert [Path(one["path"]).name for one in found["inputs"]] != []
    assert {Path(one["path"]).name for one in found["inputs"]} == {"night1.expt", "night1.refl"}
    assert "Derived on" in done("show", "24-0107:1").stdout


def test_a_combination_is_repeated_from_its_summaries(here: Path) -> None:
    done("combine", "24-0107:1", "24-0107:2", "--freedom", "full", "--prior-shift-um", "55")
    for path in (*here.glob("*.expt"), *here.glob("*.refl")):
        path.unlink()
    answer = done("rederive", "24-0107:4", "--json").json
    assert (answer["identical"], answer["reproduced"]) == (True, True)


def bundled(reference: str, store: Path, *words: str) -> tuple[str, str]:
    """Load one calibration into a store, created if absent; the words that name it there."""
    bundle = store.with_suffix(".calib-bundle")
    done("bundle", "create", reference, "-o", bundle, "--force", *words)
    done("init", "--store", store)
    done("bundle", "load", bundle, "--store", store)
    return "--store", str(store)


def test_an_added_derivation_is_repeated_without_its_base(here: Path, tmp_path: Path) -> None:
    done("derive", "night2.expt", "night2.refl", "--onto", "24-0107:1")
    (here / "night1.refl").unlink()
    assert done("rederive", "24-0107:4", "--json").json["identical"]
    there = bundled("24-0107:4", tmp_path / "with.sqlite", "--with-usage")
    assert done("rederive", "24-0107:1", "--json", *there).json["identical"]
    # Without the paths of its files, only the other bundle shows which of them were read.
    there = bundled("24-0107:4", tmp_path / "bare.sqlite")
    missing = calib("rederive", "24-0107:1", "--from", here, "--json", *there)
    assert (missing.code, missing.error["code"]) == (1, "parent-missing")
    first = done("show", "24-0107:1", "--json").json["calibration"]["id"]
    assert f"a bundle of the detector or of {first[:12]}" in missing.error["remedy"]
    bundled("24-0107:1", tmp_path / "bare.sqlite")
    assert done("rederive", "24-0107:1", "--from", here, "--json", *there).json["identical"]
