"""calib doctor: origins of settings, problems, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import raw
from support.commands import calib, done


def test_doctor_prints_the_origin_of_every_setting(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "own.toml").write_text('wait_seconds = 3\nactor = "nobody"\n')
    monkeypatch.setenv("CALIB_CONFIG", "own.toml")
    view = done("doctor", "--json").json
    found = {one["name"]: (one["value"], one["from"]) for one in view["settings"]}
    assert found["store"] == (str(here / "beamline.sqlite"), "CALIB_STORE")
    assert found["actor"] == ("ada", "CALIB_ACTOR")
    assert found["wait_seconds"] == ("3.0", str(here / "own.toml"))
    assert found["journal"] == ("auto", "default")
    view = done("doctor", "--store", "beamline.sqlite", "--json").json
    assert view["settings"][0]["from"] == "--store"


def test_a_healthy_store_passes(here: Path) -> None:
    view = done("doctor", "--json").json
    assert view["fine"]
    assert [check["name"] for check in view["checks"] if not check["fine"]] == []
    names = {check["name"] for check in view["checks"]}
    assert names >= {"settings", "file system", "permission", "clock", "revision", "log", "DIALS"}
    assert "Try" not in done("doctor").stdout


def test_a_problem_is_named_with_a_remedy_and_exit_code_1(here: Path) -> None:
    raw.execute("beamline.sqlite", "DROP TRIGGER panel_no_update")
    answer = calib("doctor")
    assert answer.code == 1
    assert (
        "FAILED: the triggers that protect rows of panel from changes are missing." in answer.stdout
    )
    assert answer.stdout.endswith("Try\nrestore the store from a backup\n")


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("CALIB_STORE", "gone.sqlite", "there is no store here."),
        ("CALIB_STORE", "postgresql://ada:secret@127.0.0.1:1/x", "the database server does not"),
        (
            "CALIB_CONFIG",
            "gone.toml",
            "the file named by CALIB_CONFIG does not exist or is not a regular file.",
        ),
        ("CALIB_JOURNAL", "paper", "'paper' is not a valid value."),
    ],
)
def test_a_bad_setting_is_reported_not_raised(
    here: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)
    answer = calib("doctor", "--json")
    assert answer.code == 1
    wrong = [check for check in answer.json["checks"] if not check["fine"]]
    assert len(wrong) == 1
    assert problem in wrong[0]["said"]
    assert wrong[0]["remedy"]
    assert "secret" not in answer.stdout + answer.stderr


def test_an_absent_default_store_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CALIB_STORE", raising=False)
    view = done("doctor", "--json").json
    assert view["checks"][-1]["said"].startswith("none yet; it will be created in ")
    assert not (tmp_path / "data").exists()
