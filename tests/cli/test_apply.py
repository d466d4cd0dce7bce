"""calib apply: the certified calibration, names of outputs, receipts."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import pytest

from calib_cli.commands.calibration.apply import Job, jobs_of
from support.commands import calib, done
from support.simulated import measured, write_imported


def test_the_certified_calibration_is_applied_and_recorded(certified: Path) -> None:
    answer = done("apply", "imported.expt", "-o", "calibrated.expt", "--json").json
    (detector,) = answer["detectors"]
    assert (detector["calibration"], detector["state"]) == ("24-0107:3", "certified")
    assert detector["data_time"] == "2026-03-05T09:00:00Z"
    assert abs(detector["distance_mm"] - 200.0) < 1.0
    assert detector["why"].startswith("certified from 2026-03-01T00:00:00Z to ")
    assert answer["outputs"] == ["calibrated.expt"]
    assert (answer["written"], answer["recorded"], answer["copied"]) == (True, True, False)
    receipt = json.loads(Path(answer["receipt"]).read_text())
    (line,) = done("usage", "list", "--json").json
    assert line["id"] == receipt["applications"][0]["id"]
    assert line["output_names"] == ["calibrated.expt"]
    sha256 = hashlib.sha256(Path("calibrated.expt").read_bytes()).hexdigest()
    assert line["output_sha256"] == [sha256]
    assert done("show", "24-0107:3", "--json").json["n_applications"] == 1
    assert done("usage", "list", "--calibration", "24-0107:1", "--json").json == []


def test_applying_to_the_output_changes_nothing(certified: Path) -> None:
    done("apply", "indexed.expt", "indexed.refl", "-o", "once.expt")
    done("apply", "once.expt", "once.refl", "-o", "twice.expt")
    for ending in ("expt", "refl"):
        once, twice = Path(f"once.{ending}"), Path(f"twice.{ending}")
        assert once.read_bytes() == twice.read_bytes()
    assert Path("once.expt").read_bytes() != Path("indexed.expt").read_bytes()


def test_an_earlier_correction_is_replaced(certified: Path) -> None:
    done("apply", "imported.expt", "-o", "first.expt", "--calibration", "24-0107:1")
    answer = done("apply", "first.expt", "-o", "second.expt", "--json").json
    assert answer["detectors"][0]["replaced"] == "24-0107:1"
    done("apply", "imported.expt", "-o", "direct.expt")
    assert Path("second.expt").read_bytes() == Path("direct.expt").read_bytes()


def test_outputs_are_named_after_their_inputs(certified: Path) -> None:
    (certified / "raw").mkdir()
    Path("indexed.expt").rename("raw/indexed.expt")
    Path("indexed.refl").rename("raw/indexed.refl")
    answer = done("apply", "raw/indexed.refl", "raw/indexed.expt", "--json").json
    assert answer["outputs"] == ["indexed_calibrated.expt", "indexed_calibrated.refl"]
    assert all(Path(name).exists() for name in answer["outputs"])
    Path("raw/indexed.refl").rename("raw/spots")
    done(
        "apply", "raw/indexed.expt", "--reflections", "raw/spots", "-o", "raw/a.expt",
        "--reflections-out", "b.refl",
    )  # fmt: skip
    assert Path("b.refl").read_bytes() == Path("indexed_calibrated.refl").read_bytes()


def test_existing_outputs_are_kept_unless_forced(certified: Path) -> None:
    words = ("apply", "imported.expt", "-o", "calibrated.expt")
    done(*words)
    kept = Path("calibrated.expt").stat().st_mtime_ns
    answer = calib(*words)
    assert answer.code == 2
    assert answer.stderr == (
        "Error: calibrated.expt: the output exists already.\n"
        "Try: use --force, or give another output file\n"
    )
    assert Path("calibrated.expt").stat().st_mtime_ns == kept
    done(*words, "--force")
    assert Path("calibrated.expt").stat().st_mtime_ns != kept
    same = calib("apply", "imported.expt", "-o", "imported.expt", "--force")
    assert same.code == 2
    assert "the output would overwrite the input imported.expt." in same.stderr


def test_a_dry_run_writes_and_records_nothing(certified: Path) -> None:
    present = sorted(certified.iterdir())
    answer = done("apply", "imported.expt", "--dry-run", "--json").json
    assert answer["detectors"][0]["calibration"] == "24-0107:3"
    assert (answer["written"], answer["recorded"], answer["receipt"]) == (False, False, None)
    assert sorted(certified.iterdir()) == present
    assert done("usage", "list", "--json").json == []


def test_all_files_of_one_command_are_recorded_at_the_same_time(certified: Path) -> None:
    views = done("apply", "imported.expt", "indexed.expt", "indexed.refl", "--json").json
    receipts = [json.loads(Path(view["receipt"]).read_text()) for view in views]
    times = [one["applied"]["at"] for found in receipts for one in found["applications"]]
    assert len(times) == 2
    assert len(set(times)) == 1
    listed = done("usage", "list", "--json").json
    assert len({line["applied"]["at"] for line in listed}) == 1


def test_data_without_a_time_need_the_option_at(certified: Path) -> None:
    write_imported(measured("bare", 200.0, None, seed=6), Path("bare.expt"))
    answer = calib("apply", "bare.expt", "--json")
    assert answer.code == 2
    assert answer.error == {
        "code": "no-time",
        "problem": "the experiment list does not state when the data were taken.",
        "place": "bare.expt",
        "remedy": "use --at TIME, such as --at 2026-03-01, or --at now",
    }
    at = done("apply", "bare.expt", "--at", "2026-03-10", "--json").json
    assert at["detectors"][0]["data_time"] == "2026-03-10T00:00:00Z"
    assert calib("apply", "bare.expt", "--at", "2026-04-01", "--force").code == 1
    named = done("apply", "bare.expt", "--calibration", "24-0107:2", "--force", "--json").json
    assert named["detectors"][0]["data_time"] is None


def test_times_are_read_in_the_time_zone_of_the_detector(here: Path) -> None:
    place = ("--store", "zoned.sqlite")
    done("init", *place)
    done("detector", "add", "24-0107", "--from", "night1.expt", "--time-zone", "Asia/Tokyo", *place)
    done("derive", "night1.expt", "night1.refl", *place)
    view = done("certify", "1", "--reason", "new", "--to", "2026-06-01", "--json", *place).json
    assert view["certification"]["from"] == "2026-03-01T00:00:00Z"  # 9 o'clock in Tokyo
    assert view["certification"]["to"] == "2026-05-31T15:00:00Z"
    applied = done("apply", "imported.expt", "--json", *place).json
    assert applied["detectors"][0]["data_time"] == "2026-03-05T00:00:00Z"


def test_the_remedy_for_a_missing_certification_works(here: Path) -> None:
    done("certify", "24-0107:3", "--from", "2026-04-01", "--reason", "later")
    answer = calib("apply", "imported.expt", "--json")
    assert (answer.code, answer.stdout) == (1, "")
    assert answer.error["code"] == "not-certified"
    assert "2026-03-05T09:00:00Z" in answer.error["problem"]
    assert "24-0107:3 is certified from 2026-04-01T00:00:00Z on" in answer.error["problem"]
    remedy = shlex.split(answer.error["remedy"])
    assert remedy[:3] == ["calib", "certify", "24-0107:3"]
    done(*remedy[1:])
    done("apply", "imported.expt")


def test_the_remedy_for_an_uncertified_distance_works(here: Path) -> None:
    done(
        "certify", "24-0107:3", "--from", "2026-03-01", "--reason", "far only",
        "--min-distance-mm", "250",
    )  # fmt: skip
    given = done("apply", "imported.expt", "--distance-mm", "300", "-o", "told.expt", "--json").json
    assert given["detectors"][0]["distance_mm"] == 300.0
    answer = calib("apply", "imported.expt", "--json")
    assert (answer.code, answer.error["code"]) == (1, "not-certified")
    remedy = shlex.split(answer.error["remedy"])
    done(*remedy[1:])
    done("apply", "imported.expt")


def test_another_serial_needs_force_serial(certified: Path) -> None:
    words = ("apply", "imported.expt", "--serial", "24-0999", "--calibration", "24-0999:1")
    done("derive", "night1.expt", "night1.refl", "--serial", "24-0999", "--force-serial")
    answer = calib(*words)
    assert answer.code == 2
    assert "the file names the detector 24-0107, not 24-0999." in answer.stderr
    forced = done(*words, "--force-serial", "--json").json
    assert forced["detectors"][0]["calibration"] == "24-0999:1"


def test_a_pipeline_can_copy_files_without_a_calibration(here: Path) -> None:
    assert calib("apply", "indexed.expt", "indexed.refl").code == 1
    answer = done("apply", "indexed.expt", "indexed.refl", "--if-missing", "copy", "--json")
    view = answer.json
    assert (view["copied"], view["detectors"], view["receipt"]) == (True, [], None)
    assert "Warning: indexed.expt: copied unchanged: no calibration of" in answer.stderr
    for ending in ("expt", "refl"):
        copy = Path(f"indexed_calibrated.{ending}")
        assert copy.read_bytes() == Path(f"indexed.{ending}").read_bytes()


def test_applying_an_uncertified_calibration_warns(certified: Path) -> None:
    answer = done("apply", "imported.expt", "--calibration", "24-0107:1")
    assert "Warning: imported.expt: 24-0107:1 is accepted, not certified." in answer.stderr
    assert "Wrote imported_calibrated.expt." in answer.stderr
    assert answer.stdout.splitlines()[0].split()[:2] == ["output", "calibration"]


def test_data_of_another_layout_are_refused(certified: Path) -> None:
    other = measured("other", 200.0, None, seed=6, layout_name="PILATUS 1M", n_reflections=900)
    write_imported(other, Path("other.expt"))
    answer = calib("apply", "other.expt", "--at", "2026-03-02")
    assert answer.code == 2
    assert "these are not the panels of the calibrated detector: 10 panels, expected 3" in (
        answer.stderr
    )


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["a.expt"], [Job(Path("a.expt"), Path("a_calibrated.expt"), None, None)]),
        (["x/a.expt"], [Job(Path("x/a.expt"), Path("a_calibrated.expt"), None, None)]),
        (
            ["b.refl", "a.expt"],
            [Job(Path("a.expt"), Path("a_calibrated.expt"), Path("b.refl"), None)],
        ),
        (
            ["a.expt", "b.expt", "b.refl"],
            [
                Job(Path("a.expt"), Path("a_calibrated.expt"), None, None),
                Job(Path("b.expt"), Path("b_calibrated.expt"), Path("b.refl"), None),
            ],
        ),
    ],
    ids=str,
)
def test_reflections_are_paired_by_stem(words: list[str], jobs: list[Job]) -> None:
    assert jobs_of([Path(word) for word in words], None, None, None) == jobs
