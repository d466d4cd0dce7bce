"""calib derive: results as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import calib, done
from support.simulated import TRUTH

NIGHT_1 = ("night1.expt", "night1.refl")
NIGHT_2 = ("night2.expt", "night2.refl")
SIX = {"dx_mm", "dy_mm", "dz_mm", "rx_mrad", "ry_mrad", "rz_mrad"}
IN_PLANE = {"dx_mm", "dy_mm", "rz_mrad"}
NEW = ("--prior-shift-um", "80")


def test_json_describes_the_result_in_one_object(here: Path) -> None:
    answer = done("derive", *NIGHT_1, *NEW, "--json").json
    head = answer["calibration"]
    assert (head["serial"], head["version"], head["freedom"], head["state"]) == (
        "24-0107", 4, "full", "accepted",
    )  # fmt: skip
    assert [round(distance) for distance in head["distances_mm"]] == [150]
    for stage, axis in (("used", "x"), ("used", "y"), ("held_out", "x"), ("held_out", "y")):
        before = answer["rmsd_px"]["before"][stage][axis]
        assert 0.09 < answer["rmsd_px"]["after"][stage][axis] < 0.12 < 0.2 < before
        assert answer["median_abs_px"]["after"][stage][axis] < 0.1
    (dataset,) = answer["datasets"]
    assert dataset["name"] == "night1"
    assert dataset["n_reflections"] + dataset["n_rejected"] <= 4000
    assert [panel["panel"] for panel in answer["panels"]] == [0, 1, 2]
    for panel in answer["panels"]:
        assert panel["status"] == "measured"
        assert set(panel["sigma"]) == SIX
        assert all(panel["sigma"][key] > 0.0 for key in SIX)
        assert all(panel[key] != 0.0 for key in SIX)
    assert sum(panel["n_reflections"] for panel in answer["panels"]) == dataset["n_reflections"]
    assert answer["acceptance"]["accepted"] is True
    assert answer["halves"]["n_panels"] == 3
    assert answer["convergence"]["converged"] is True
    assert answer["detector_registered"] is False
    assert 0.0 < answer["seconds"] < 60.0


def test_corrections_are_the_truth_up_to_a_rigid_motion(here: Path) -> None:
    """The difference of two panels' shifts is far above the noise, whatever the gauge."""
    panels = done("derive", *NIGHT_1, *NIGHT_2, "--json").json["panels"]
    for axis, key in enumerate(("dx_mm", "dy_mm")):
        found = panels[0][key] - 2.0 * panels[1][key] + panels[2][key]
        true = TRUTH.values[0, axis] - 2.0 * TRUTH.values[1, axis] + TRUTH.values[2, axis]
        assert abs(found - true) < 5e-3 < abs(true)


def test_heights_and_tilts_are_held_at_nominal_only_where_asked_for(here: Path) -> None:
    answer = done("derive", *NIGHT_1, *NIGHT_2, *NEW, "--json").json
    assert answer["calibration"]["freedom"] == "full"
    assert answer["freedom_reason"] == "distances of 150 and 265 mm"
    assert all(panel["sigma"][key] > 0.0 for panel in answer["panels"] for key in SIX)
    assert {dataset["name"] for dataset in answer["datasets"]} == {"night1", "night2"}
    assert all(dataset["left_out_rmsd_px"] for dataset in answer["datasets"])
    held = done("derive", *NIGHT_1, *NIGHT_2, "--freedom", "in-plane", "--json").json
    assert held["calibration"]["freedom"] == "in-plane"
    assert held["freedom_reason"] == "asked for with --freedom"
    for panel in held["panels"]:
        assert {key for key in SIX if panel["sigma"][key] is not None} == IN_PLANE
        assert {key for key in SIX if panel[key] != 0.0} == IN_PLANE


def test_the_order_of_files_does_not_matter(here: Path) -> None:
    one = done("derive", *NIGHT_1, *NIGHT_2, "--dry-run", "--json").json
    other = done("derive", *reversed((*NIGHT_1, *NIGHT_2)), "--dry-run", "--json").json
    assert one["calibration"]["id"] == other["calibration"]["id"]


def test_deriving_twice_is_deriving_once(here: Path) -> None:
    first = done("derive", *NIGHT_1, *NEW, "--json").json
    again = done("derive", *NIGHT_1, *NEW, "--json").json
    assert (first["new"], again["new"]) == (True, False)
    assert first["calibration"] == again["calibration"]
    assert "already stored as 24-0107:4" in done("derive", *NIGHT_1, *NEW).stderr


def test_a_dry_run_stores_nothing(here: Path) -> None:
    before = done("list", "--json").stdout
    answer = done("derive", *NIGHT_1, *NEW, "--dry-run", "--json").json
    assert (answer["calibration"]["version"], answer["stored"]) == (None, False)
    assert done("list", "--json").stdout == before
    stored = done("derive", *NIGHT_1, *NEW, "--json").json
    assert stored["calibration"]["id"] == answer["calibration"]["id"]


def test_options_reach_the_solver(here: Path) -> None:
    answer = done(
        "derive", *NIGHT_1, "--json", "--prior-shift-um", "70", "--prior-normal-um", "30",
        "--prior-tilt-mrad", "0.7", "--ignore-flags", "--pose", "per-experiment",
        "--space-group", "P43212", "--free-beam", "--freedom", "full",
    ).json  # fmt: skip
    version = answer["calibration"]["version"]
    parameters = done("show", f"24-0107:{version}", "--json").json["parameters"]
    assert parameters["prior_shift_um"] == pytest.approx(70.0)
    assert parameters["prior_normal_um"] == pytest.approx(30.0)
    assert parameters["prior_tilt_mrad"] == pytest.approx(0.7)
    assert (parameters["freedom"], parameters["pose"]) == ("full", "per-experiment")
    assert (parameters["ignore_flags"], parameters["free_beam"]) == (True, True)
    assert parameters["hall_symbol"]


def test_a_new_detector_is_registered_with_a_message(here: Path) -> None:
    done("init", "--store", "new.sqlite")
    words = ("derive", *NIGHT_1, "--store", "new.sqlite")
    dry = done(*words, "--dry-run")
    assert "Would register the new detector 24-0107" in dry.stderr
    assert done("detector", "list", "--json", "--store", "new.sqlite").json == []
    answer = done(*words)
    assert "Registered the new detector 24-0107;" in answer.stderr
    assert "times without offset are read in UTC." in answer.stderr
    (detector,) = done("detector", "list", "--json", "--store", "new.sqlite").json
    assert (detector["serial"], detector["family"]) == ("24-0107", "PILATUS 300K")
    assert detector["description"] == "PILATUS 300K, S/N 24-0107"


def test_the_verdict_and_the_residuals_come_first_then_the_next_step(here: Path) -> None:
    answer = done("derive", *NIGHT_1, *NEW)
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("Calibration  24-0107:4  accepted  ")
    assert lines[2] == "Accepted"
    assert lines[5] == "RMSD in px before and after the corrections"
    assert lines[8].startswith("held out")
    assert any("full: one distance only" in line for line in lines)
    assert answer.stderr == (
        "Datasets, panels and weak modes: calib show 24-0107:4\n"
        'Next: calib certify 24-0107:4 --from 2026-03-01T09:00:00Z --reason "..."\n'
    )


@pytest.mark.parametrize("option", ["--details", "--panels"])
def test_details_of_a_combination_are_printed_on_request(here: Path, option: str) -> None:
    words = ("combine", "24-0107:3", "--without", "night1", "--dry-run")
    short, details = done(*words), done(*words, option)
    assert "Information in the data" not in short.stdout.splitlines()
    assert "Information in the data" in details.stdout.splitlines()
    assert (short.stderr.count("--details"), details.stderr.count("--details")) == (1, 0)


@pytest.mark.parametrize("option", ["--details", "--panels"])
def test_details_are_what_show_prints(here: Path, option: str) -> None:
    short = done("derive", *NIGHT_1, *NIGHT_2, "--dry-run").stdout
    details = done("derive", *NIGHT_1, *NIGHT_2, "--dry-run", option).stdout
    shown = done("show", "24-0107:3").stdout
    for heading in ("Panels", "Information in the data"):
        assert heading not in short.splitlines()
        assert heading in details.splitlines()
    tables = details.split("\n\n")[1:]
    assert len(tables) > 5
    assert set(tables[:-2]) <= set(shown.split("\n\n"))
    assert set(short.split("\n\n")[2:-2]) <= set(tables), "the residuals are the same"


def test_the_author_is_recorded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by(*words: str) -> str:
        head = done("derive", *NIGHT_1, "--json", *words).json["calibration"]
        shown = done("show", head["id"][:12], "--json").json
        assert shown["stored"]["host"]
        actor: str = shown["stored"]["by"]
        return actor

    assert by("--prior-shift-um", "81", "--by", "grace") == "grace"
    assert by("--prior-shift-um", "82") == "ada"  # CALIB_ACTOR
    monkeypatch.delenv("CALIB_ACTOR")
    monkeypatch.setenv("LOGNAME", "edith")
    assert by("--prior-shift-um", "83") == "edith"


def test_files_that_do_not_match_are_refused_without_output(here: Path) -> None:
    answer = calib("derive", "night1.expt", "night2.refl", "--json")
    assert (answer.code, answer.stdout) == (2, "")
