"""Numbers and times in options: extremes are refused before anything is computed or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from calib_cli.main import app
from support.commands import ALL_COMMANDS, calib, done

NUMBERS = frozenset({"N", "MM", "UM", "MRAD", "DEG", "R"})
"""What the help calls a number."""
TIMES = frozenset({"TIME"})
EXTREMES = ("nan", "inf", "-1e308", "1e308", "1e-320", "-1", str(2**63), "9" * 30)
INSTANTS = (
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1899-12-31",
    "2200-01-02",
    "0001-01-01",
)
FILES = ("night1.expt", "night1.refl")
CALLS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("derive",): (*FILES, "--dry-run"),
    ("combine",): ("24-0107:3", "--dry-run"),
    ("certify",): ("24-0107:3", "--reason", "x", "--from", "2026-03-01", "--dry-run"),
    ("withdraw",): ("24-0107:3", "--reason", "x", "--dry-run"),
    ("apply",): ("imported.expt", "--at", "2026-03-01", "--dry-run"),
    ("resolve",): ("24-0107", "--at", "2026-03-05", "--distance", "200"),
    ("identify",): ("imported.expt",),
    ("export",): ("24-0107:3", "-o", "new.expt"),
    ("list",): (),
    ("show",): ("24-0107:3",),
    ("diff",): ("24-0107:1", "24-0107:2"),
    ("history",): ("24-0107",),
    ("detector", "place"): ("24-0107", "--beamline", "I04", "--from", "2026-03-01", "--dry-run"),
    ("detector", "edit"): ("24-0107", *["--reason", "x", "--description", "d", "--dry-run"]),
    ("detector", "retire"): ("24-0107", "--reason", "x", "--from", "2026-03-01", "--dry-run"),
    ("demo",): ("made",),
    ("audit", "log"): ("24-0107",),
    ("audit", "rotate"): ("--reason", "x"),
}
"""A call of each command with such an option that ends well as it is."""
HARMLESS = {
    "--limit": (str(2**63), "9" * 30),
    "--last": (str(2**63), "9" * 30),
    "--min-distance-mm": ("1e-320",),
    "--gap-mm": ("1e-320",),
    "--repeat-um": ("1e-320",),
}
"""Extremes that mean something: more entries than there are, or as good as 0."""


def options(metavars: frozenset[str]) -> list[tuple[tuple[str, ...], str]]:
    """Every command with each of its options of these kinds."""
    found = []
    for words in ALL_COMMANDS:
        command: Any = get_command(app)
        for word in words:
            command = command.commands[word]
        if not hasattr(command, "commands"):
            found += [
                (words, one.opts[0])
                for one in command.params
                if one.param_type_name == "option" and one.metavar in metavars
            ]
    return found


def refused(words: tuple[str, ...], option: str, value: str) -> None:
    before = sorted(path.name for path in Path.cwd().iterdir())
    answer = calib(*words, *CALLS[words], option, value, "--json")
    if value in HARMLESS.get(option, ()):
        assert answer.code == 0, answer.stderr
        return
    assert (answer.code, answer.stdout) == (2, ""), (option, value, answer)
    assert answer.error["remedy"], (option, value)
    assert sorted(path.name for path in Path.cwd().iterdir()) == before


def test_every_command_with_a_number_or_a_time_is_called_here() -> None:
    assert {words for words, _ in options(NUMBERS | TIMES)} <= set(CALLS)


@pytest.mark.parametrize(("words", "option"), options(NUMBERS), ids=str)
def test_an_extreme_number_is_refused(certified: Path, words: tuple[str, ...], option: str) -> None:
    for value in EXTREMES:
        refused(words, option, value)


@pytest.mark.parametrize(("words", "option"), options(TIMES), ids=str)
def test_a_time_out_of_range_is_refused(
    certified: Path, words: tuple[str, ...], option: str
) -> None:
    for value in INSTANTS:
        refused(words, option, value)


@pytest.mark.parametrize("option", ["--min-distance", "--max-distance", "--gap-mm"])
def test_a_negative_distance_is_out_of_bounds_and_not_an_empty_range(
    here: Path, option: str
) -> None:
    for value in ("-1e308", "-1"):
        answer = calib(*("certify", "24-0107:3", "--reason", "x"), option, value, "--json")
        assert (answer.code, answer.error["code"]) == (2, "bad-distance")
        assert answer.error["remedy"] == "give a length from 0 to 100000 mm"


def test_the_bounds_themselves_are_admitted(here: Path) -> None:
    done(
        *("certify", "24-0107:3", "--reason", "all", "--from", "1900-01-01", "--to", "2200-01-01"),
        *("--min-distance", "0", "--max-distance", "100000", "--gap-mm", "100000"),
    )
    for at in ("1900-01-01", "2199-12-31T23:59:59.999999"):
        found = done("resolve", "24-0107", "--at", at, "--distance", "99999", "--json").json
        assert found["calibration"] == "24-0107:3"
    done("history", "24-0107", "--at", "2199")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wait_seconds", "1e308"),
        ("wait_seconds", "nan"),
        ("wait_seconds", "-1"),
        ("connect_seconds", "inf"),
        ("clock_gap_days", "0"),
        ("clock_gap_days", "1e308"),
        ("clock_tolerance_days", "nan"),
        ("actor", '"a\\u001bb"'),
        ("actor", '"-rf"'),
        ("actor", '"' + "a" * 201 + '"'),
    ],
)
def test_a_setting_out_of_range_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    Path("settings.toml").write_text(f"{name} = {value}\n")
    monkeypatch.setenv("CALIB_CONFIG", "settings.toml")
    monkeypatch.delenv("CALIB_ACTOR")
    answer = calib("list", "--json")
    if name == "actor":
        answer = calib("withdraw", "24-0107:3", "--reason", "x", "--json")
    assert (answer.code, answer.stdout) == (2, "")
