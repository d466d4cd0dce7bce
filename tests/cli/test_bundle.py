"""calib bundle: calibrations carried from one store to another."""

from __future__ import annotations

from pathlib import Path

from support.commands import calib, done

THERE = ("--store", "there.sqlite")


def test_certifications_of_a_bundle_take_effect_when_adopted(
    certified: Path,
) -> None:
    done("bundle", "create", "24-0107", "-o", "all.calib-bundle")
    assert "3 calibrations, 1 certifications" in done("bundle", "show", "all.calib-bundle").stdout
    done("init", *THERE)
    load = ("bundle", "load", "all.calib-bundle", "--json", *THERE)
    would = done(*load, "--adopt", "--dry-run").json
    assert (would["stored"], would["detector_registered"], len(would["adopted"])) == (
        False,
        True,
        1,
    )
    assert done("list", "--json", *THERE).json == []
    assert done("audit", "log", "--json", *THERE).json == []
    assert "24-0107 (new)" in done("bundle", "load", "all.calib-bundle", *THERE).stdout
    assert calib("apply", "imported.expt", "-o", "a.expt", *THERE).code == 1
    shown = done("show", "24-0107:3", *THERE).stdout
    assert "Recorded in another store (not valid here)" in shown
    origins = done("history", "24-0107", "--json", *THERE).json["origins"]
    assert [one["event"] for one in origins if one["version"] == 3] == [
        "certification",
        "calibration",
    ]
    assert {one["by"] for one in origins} == {None}
    assert "Recorded in another store" in done("history", "24-0107", *THERE).stdout
    assert done("history", "24-0107", "--json").json["origins"] == []
    again = done("bundle", "load", "all.calib-bundle", "--adopt", "--json", *THERE).json
    assert (again["n_history"], len(again["adopted"])) == (0, 1)
    done("apply", "imported.expt", "-o", "a.expt", *THERE)
    done("apply", "imported.expt", "-o", "b.expt")
    assert (certified / "a.expt").read_bytes() == (certified / "b.expt").read_bytes()
    done("audit", "verify", *THERE)


def test_a_bundle_of_one_calibration_is_named_after_it(here: Path) -> None:
    done("bundle", "create", "24-0107:2")
    assert (here / "24-0107-2.calib-bundle").exists()
    done("init", *THERE)
    loaded = done("bundle", "load", "24-0107-2.calib-bundle", "--json", *THERE).json
    assert loaded["calibrations"] == [
        {"calibration": "24-0107:1", "origin_version": 2, "new": True}
    ]


def test_a_bundle_of_something_unknown_is_refused(here: Path) -> None:
    done("bundle", "create", "24-0107", "-o", "all.calib-bundle")
    (here / "bad.calib-bundle").write_bytes((here / "all.calib-bundle").read_bytes()[:-1])
    for words, code in (
        (("create", "24-0999"), "bad-reference"),
        (("create", "24-0107", "-o", "all.calib-bundle"), "output-exists"),
        (("load", "bad.calib-bundle"), "no-bundle"),
        (("load", "gone.calib-bundle"), "missing-file"),
        (("show", "imported.expt"), "no-bundle"),
        (("load", "all.calib-bundle", "--supersede"), "bad-use"),
    ):
        answer = calib("bundle", *words, "--json")
        assert (answer.code, answer.error["code"]) == (2, code), words
    assert len(done("list", "--json").json) == 3
