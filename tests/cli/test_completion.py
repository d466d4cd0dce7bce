"""Completion with the tab key, by the protocol of the shells' scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import calib_cli.shells
from calib_cli.shells import BashWords
from support.children import environment
from support.commands import calib, done

SERIAL = "24-0107"
CALIBRATIONS = [f"{SERIAL}:1", f"{SERIAL}:2", f"{SERIAL}:3"]
FILES = ["night1.expt", "night1.refl", "night2.expt", "night2.refl"]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests is not to be ended."""
    monkeypatch.setattr(calib_cli.shells, "_end_after", lambda seconds: None)


def bash(monkeypatch: pytest.MonkeyPatch, *pieces: str, separator: str = "\n") -> list[str]:
    """The values offered to bash for pieces of a command line, the last of which is completed."""
    monkeypatch.setenv("_CALIB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", separator.join(("calib", *pieces)))
    monkeypatch.setenv("COMP_CWORD", str(len(pieces)))
    answer = calib()
    assert (answer.code, answer.stderr) == (0, "")
    return answer.stdout.splitlines()


@pytest.mark.parametrize(
    ("pieces", "offered"),
    [
        (("sho",), ["show"]),
        (("detector", "l"), ["list"]),
        (("derive", "--prior-t"), ["--prior-tilt-mrad"]),
        (("derive", "--freedom", ""), ["in-plane", "full"]),
        (("show", "24"), CALIBRATIONS),
        (("show", "24-0107", ":"), ["1", "2", "3"]),
        (("show", "24-0107", ":", "2"), ["2"]),
        (("show", "--serial", SERIAL, ""), ["1", "2", "3"]),
        (("show", "--serial", "="), [SERIAL]),
        (("show", "--serial", "=", "24"), [SERIAL]),
        (("usage", "list", "--calibration", "=", "24-0107", ":", "3"), ["3"]),
        (("certify", "7"), []),
        (("history", "2"), [SERIAL]),
        (("audit", "log", ""), [SERIAL]),
        (("bundle", "create", "24"), [SERIAL, *CALIBRATIONS]),
        (
            ("detector", "add", "x", "--layout", "PILATUS\\ 3"),
            ["PILATUS\\ 300K", "PILATUS\\ 300K-W"],
        ),
        (("detector", "add", "x", "--layout", "EIGER2\\ 9"), ["EIGER2\\ 9M"]),
        (("derive", "night"), FILES),
        (("derive", "night1.expt", "night1"), FILES[:2]),
        (("export", "1", "--like", "night"), ["night1.expt", "night2.expt"]),
        (("db", "set", ""), ["demand-actor"]),
        (("db", "set", "demand-actor", ""), ["yes", "no"]),
    ],
    ids=str,
)
def test_bash_offers_commands_options_calibrations_and_files(
    here: Path, monkeypatch: pytest.MonkeyPatch, pieces: tuple[str, ...], offered: list[str]
) -> None:
    assert bash(monkeypatch, *pieces) == offered


def test_the_words_may_be_separated_by_blanks(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bash(monkeypatch, "show", "24-0107", ":", "3", separator=" ") == ["3"]


def test_a_folder_is_replaced_by_what_it_holds(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data/far.expt", "data/far.refl", "data/notes.txt", "dark/x.cbf", ".git/a.expt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert bash(monkeypatch, "derive", "dat") == ["data/far.expt", "data/far.refl"]
    assert bash(monkeypatch, "derive", "da") == ["dark/", "data/"]
    assert bash(monkeypatch, "derive", "data/far.e") == ["data/far.expt"]
    assert bash(monkeypatch, "derive", "dark/") == []
    assert ".git/" not in bash(monkeypatch, "derive", "")
    assert bash(monkeypatch, "derive", f"{here}/data/") == [
        f"{here}/data/far.expt",
        f"{here}/data/far.refl",
    ]


def test_zsh_and_fish_show_states_and_distances(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"calib show {SERIAL}:3")
    monkeypatch.setenv("_CALIB_COMPLETE", "complete_zsh")
    shown = calib().stdout
    assert f'"{SERIAL}\\\\:3":"accepted, 150.0 and 265.0 mm"' in shown
    monkeypatch.setenv("_CALIB_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert calib().stdout == f"{SERIAL}:3\taccepted, 150.0 and 265.0 mm\n"
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    assert calib().code == 0
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "calib show 7")
    assert calib().code == 1


@pytest.mark.parametrize("store", ["absent.sqlite", "night1.expt", "postgresql://u@[", "."])
def test_a_store_that_cannot_be_read_offers_nothing_without_a_word(
    here: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    before = sorted(path.name for path in here.iterdir())
    monkeypatch.setenv("CALIB_STORE", store)
    for words in (("show", ""), ("history", ""), ("--store", store, "show", "")):
        assert bash(monkeypatch, *words) == []
    assert sorted(path.name for path in here.iterdir()) == before


def test_the_store_that_is_named_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done("init", "--store", "other.sqlite")
    done("detector", "add", "7-1", "--layout", "PILATUS 300K", "--store", "other.sqlite")
    for words in (
        ("history", "--store", "other.sqlite", ""),
        ("--store", "other.sqlite", "history", ""),
    ):
        assert bash(monkeypatch, *words) == ["7-1"]


def test_a_store_that_may_not_be_created_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the default one, which other commands create."""
    monkeypatch.delenv("CALIB_STORE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    assert bash(monkeypatch, "show", "") == []
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_takes_too_long_is_none(here: Path) -> None:
    program = """
import sys, time
import calib_cli.completion, calib_cli.shells
sys.argv = ["calib"]
calib_cli.shells._PATIENCE_SECONDS = 0.1
calib_cli.completion._detectors = lambda store: time.sleep(60)
from calib_cli.main import main
main()
"""
    asked = {"_CALIB_COMPLETE": "complete_bash", "COMP_WORDS": "calib history 2", "COMP_CWORD": "2"}
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment(), **asked},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert (answer.stdout, answer.stderr) == ("", "")


def test_files_are_offered_where_the_store_cannot_be_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("night1.calib.h5").touch()
    monkeypatch.setenv("CALIB_STORE", "night1.expt")
    assert bash(monkeypatch, "summary", "show", "nig") == ["night1.calib.h5"]


def test_no_error_or_warning_reaches_the_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        sys.stderr.write("a warning of some library")
        raise ZeroDivisionError

    monkeypatch.setenv("_CALIB_COMPLETE", "complete_zsh")
    assert calib_cli.shells.complete(fail) == 0
    assert capsys.readouterr() == ("", "")


def test_words_are_joined_where_bash_splits_them() -> None:
    def joined(*pieces: str) -> tuple[list[str], str]:
        words = BashWords(pieces)
        return words.words, words.insertion(words.words[-1] + "0")

    assert joined("a", "b:", "c") == (["a", "b:", "c"], "c0")
    assert joined("a", "b", ":") == (["a", "b:"], "0")
    assert joined("a", "b", ":", "c") == (["a", "b:c"], "c0")
    assert joined("a", "b", ":", "") == (["a", "b:", ""], "0")
    assert joined("a", "b", ":", "-c") == (["a", "b:", "-c"], "-c0")
    assert joined("b:c") == (["b:c"], "b:c0")
    assert BashWords(["a", "--b", "=", "c", ":", "d"]).insertion("c:def") == "def"
    assert BashWords(['"my fi']).insertion("my file") == "my file"
    assert BashWords(["my\\ fi"]).insertion("my file;") == "my\\ file\\;"


def test_the_script_for_bash_fills_the_reply(here: Path) -> None:
    """The script of --show-completion, in a real bash."""
    lines = """
eval "$(_CALIB_COMPLETE=source_bash calib)"
COMP_WORDS=(calib show 24-0107 : 3); COMP_CWORD=4
_calib_completion calib
printf '%s|' "${COMPREPLY[@]}"
complete -p calib
"""
    answer = subprocess.run(
        ["bash", "--norc", "-c", lines],
        env={**environment(), "PATH": f"{Path(sys.executable).parent}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert answer.stdout == "3|complete -o default -F _calib_completion calib\n"
    assert answer.stderr == ""
