"""Every command explains itself, and its examples work."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import pytest

from calib.model.detector.correction import Freedom
from calib.solve.prior import PanelPrior
from calib_cli.commands.calibration.combine import combine
from calib_cli.commands.calibration.derivation import FreedomName
from calib_cli.commands.calibration.derive import derive
from support.commands import ALL_COMMANDS, calib, done, examples
from support.simulated import SERIAL

GROUPS = {(), ("audit",), ("bundle",), ("db",), ("detector",), ("summary",), ("usage",)}
COMMANDS = [words for words in ALL_COMMANDS if words not in GROUPS]
BEFORE = {
    ("bundle", "load"): [["bundle", "create", SERIAL, "-o", "detector.calib-bundle"]],
    ("bundle", "show"): [["bundle", "create", SERIAL, "-o", "detector.calib-bundle"]],
    ("resolve",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("audit", "checkpoint"): [["audit", "key"]],
    ("db", "restore"): [["db", "backup", "-o", "calib.backup.sqlite"]],
    ("apply",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("withdraw",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("usage", "push"): [
        ["apply", "imported.expt", "-o", "calibrated.expt", "--calibration", f"{SERIAL}:3"]
    ],
}
"""What must have happened before the examples of a command make sense."""


def test_all_commands_are_there() -> None:
    names = {" ".join(words) for words in COMMANDS}
    assert names == {
        "init", "detector add", "detector list", "detector show", "derive", "list", "show",
        "combine", "summary export", "summary show",
        "certify", "withdraw", "apply", "usage push", "usage list", "export", "demo", "diff",
        "resolve",
        "audit log", "audit verify", "audit checkpoint", "audit key",
        "detector place",
        "db current", "db check", "db upgrade", "db backup", "db restore",
        "db set", "db rules",
        "doctor",
        "history", "affected", "rederive", "bundle create", "bundle load", "bundle show",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words", [words for words in ALL_COMMANDS if words not in ((), ("demo",))], ids=str
)
def test_the_examples_in_the_help_work(words: tuple[str, ...], here: Path) -> None:
    if words[:1] == ("init",):
        (here / "beamline.sqlite").unlink()
    found = examples(done(*words, "--help").stdout)
    assert found, "no example in the help"
    for line in BEFORE.get(words, []):
        done(*line)
    for line in found:
        assert tuple(line[: len(words)]) == words
        done(*line)


def test_the_examples_of_the_program_work_one_after_the_other(here: Path) -> None:
    (here / "beamline.sqlite").unlink()
    done("init")
    lines = examples(done("--help").stdout)
    assert [line[0] for line in lines] == ["derive", "certify", "apply"]
    for line in lines:
        done(*line)
    assert (here / "calibrated.expt").exists()


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=str)
def test_help_fits_a_narrow_terminal(words: tuple[str, ...]) -> None:
    text = done(*words, "-h").stdout
    assert text.startswith("Usage: calib")
    # An example may be longer than the terminal is wide, since it is to be copied.
    assert [line for line in text.splitlines() if len(line) > 80 and "  calib" not in line] == []
    assert "..." not in text.partition("Commands:")[2], "a summary is cut off"


def test_without_a_command_the_help_is_shown_as_misuse() -> None:
    answer = calib()
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Usage: calib [OPTIONS] COMMAND [ARGS]...")


def test_freedoms_are_named_as_the_model_names_them() -> None:
    assert [name.value for name in FreedomName] == [freedom.value for freedom in Freedom]


def test_the_tolerances_in_the_help_are_those_of_the_library() -> None:
    prior = PanelPrior()
    for command in (derive, combine):
        given = {name: p.default for name, p in signature(command).parameters.items()}
        assert given["prior_shift_um"] == 1e3 * prior.shift_mm
        assert given["prior_normal_um"] == 1e3 * prior.normal_mm
        assert given["prior_tilt_mrad"] == 1e3 * prior.tilt_rad
        assert given["level_ratio"] == prior.ratio
