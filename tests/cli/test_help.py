"""The help of every command fits on one screen, and its examples work."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from typer.main import get_command

from calib.model.detector.correction import Freedom
from calib.solve.prior import PanelPrior
from calib_cli.commands.calibration.combine import combine
from calib_cli.commands.calibration.derivation import FreedomName
from calib_cli.commands.calibration.derive import derive
from calib_cli.help import ADVANCED, PANELS
from calib_cli.main import app
from calib_cli.registry import COMMANDS as COMMAND_PLACES
from support.clocks import record_in_future
from support.commands import ALL_COMMANDS, calib, done, examples
from support.mtz import write_mtz
from support.simulated import SERIAL

GROUPS = {
    (),
    ("audit",),
    ("bundle",),
    ("db",),
    ("detector",),
    ("layout",),
    ("publish",),
    ("summary",),
    ("usage",),
}
COMMANDS = [words for words in ALL_COMMANDS if words not in GROUPS]
BEFORE = {
    ("bundle", "load"): [["bundle", "create", SERIAL, "-o", "detector.calib-bundle"]],
    ("bundle", "show"): [["bundle", "create", SERIAL, "-o", "detector.calib-bundle"]],
    ("resolve",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("audit", "checkpoint"): [["audit", "key"]],
    ("audit", "keys"): [["audit", "key"]],
    ("audit", "rotate"): [["audit", "key"]],
    ("audit", "anchor"): [["audit", "key"]],
    ("db", "restore"): [["db", "backup", "-o", "calib.backup.sqlite"]],
    ("split",): [["merge", "night1.expt", "night1.refl", "-o", "single.expt"]],
    ("identify",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("apply",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("withdraw",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("explain",): [
        ["apply", "imported.expt", "-o", "calibrated.expt", "--calibration", f"{SERIAL}:3"]
    ],
    ("annotate",): [
        ["apply", "imported.expt", "-o", "calibrated.expt", "--calibration", f"{SERIAL}:3"]
    ],
    ("publish",): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("publish", "geometry"): [["certify", f"{SERIAL}:3", "--reason", "new"]],
    ("usage", "push"): [
        ["apply", "imported.expt", "-o", "calibrated.expt", "--calibration", f"{SERIAL}:3"]
    ],
}
"""Commands to run before the examples of a command."""


def test_every_command_exists() -> None:
    names = {" ".join(words) for words in COMMANDS}
    assert names == {
        "init", "detector add", "detector list", "detector show", "derive", "list", "show",
        "report",
        "combine", "summary export", "summary show",
        "certify", "withdraw", "apply", "usage push", "usage list", "export", "demo", "diff",
        "publish geometry", "explain", "annotate",
        "resolve", "identify",
        "audit log", "audit verify", "audit clock", "audit checkpoint", "audit anchor",
        "audit key", "audit keys", "audit rotate",
        "detector place", "detector edit", "detector retire", "detector relabel",
        "layout list", "layout show", "layout add", "split", "merge",
        "db current", "db check", "db upgrade", "db backup", "db restore",
        "db set", "db rules", "db grant",
        "doctor",
        "history", "affected", "rederive", "bundle create", "bundle load", "bundle show",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words", [words for words in ALL_COMMANDS if words not in ((), ("demo",))], ids=str
)
def test_the_examples_in_the_help_work(words: tuple[str, ...], here: Path) -> None:
    if words[:1] == ("init",):
        (here / "beamline.sqlite").unlink()
    (here / "anchors").mkdir()
    write_mtz(here / "scaled.mtz")
    found = examples(done(*words, "--help").stdout)
    assert found, "no example in the help"
    if words == ("audit", "clock"):
        record_in_future(here / "beamline.sqlite")
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


def lines_of(*words: str) -> list[str]:
    return done(*words).stdout.splitlines()


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the width of the terminal."""
    return lambda width: monkeypatch.setenv("COLUMNS", str(width))


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=str)
def test_the_help_of_a_command_fits_on_one_screen(
    words: tuple[str, ...], columns: Callable[[int], None]
) -> None:
    columns(80)
    lines = lines_of(*words, "-h")
    assert lines[0].startswith("Usage: calib")
    assert len(lines) <= (40 if words else 50)
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=str)
@pytest.mark.parametrize("width", [60, 100, 200])
def test_help_is_as_wide_as_the_terminal_up_to_120_columns(
    words: tuple[str, ...], width: int, columns: Callable[[int], None]
) -> None:
    columns(width)
    lines = lines_of(*words, "--help-all")
    # An example may be longer than the terminal is wide, since it is to be copied.
    assert [line for line in lines if len(line) > min(width, 120) and "  calib" not in line] == []


def test_a_wide_terminal_is_used(columns: Callable[[int], None]) -> None:
    n_lines = []
    for width in (80, 120):
        columns(width)
        n_lines.append(len(lines_of("derive", "--help-all")))
    assert n_lines[1] < n_lines[0] - 5


@pytest.mark.parametrize("words", COMMANDS, ids=str)
def test_each_option_of_a_command_is_in_its_panel(words: tuple[str, ...]) -> None:
    usual, everything = (panels(lines_of(*words, how)) for how in ("--help", "--help-all"))
    assert list(usual) == [name for name in PANELS if name in usual]
    assert set(usual) <= {"Input", "Method", "Prior", "Validity", "Output", "Store"}
    everything.pop(ADVANCED, None)
    shown = [row.partition("  ")[0] for rows in usual.values() for row in rows]
    assert all(any(name.startswith("--") for name in names(row)) for row in shown if row[0] == "-")
    assert [[row.split()[0].rstrip(",") for row in rows] for rows in usual.values()] == [
        [row.split()[0].rstrip(",") for row in rows] for rows in everything.values()
    ]
    rows = [row for rows in panels(lines_of(*words, "--help-all")).values() for row in rows]
    labels = [row.partition("  ")[0] for row in rows]
    assert len(labels) == len(own_params(words))
    for label, param in zip(labels, sorted(own_params(words), key=panel_number), strict=True):
        is_option = param.param_type_name == "option"
        assert set(param.opts) <= set(names(label)) if is_option else label == param.metavar


@pytest.mark.parametrize("words", COMMANDS, ids=str)
def test_advanced_options_are_counted_in_the_usual_help_and_work(words: tuple[str, ...]) -> None:
    advanced = panels(lines_of(*words, "--help-all")).get(ADVANCED, [])
    usual = "\n".join(lines_of(*words, "--help"))
    options = "option" if len(advanced) == 1 else "options"
    assert (f"Show {len(advanced)} advanced {options} as well." in usual) == bool(advanced)
    assert not {row.split()[0] for row in advanced} & set(usual.split())


@pytest.mark.parametrize("words", COMMANDS, ids=str)
def test_no_python_type_is_shown(words: tuple[str, ...]) -> None:
    text = done(*words, "--help-all").stdout
    assert not re.findall(r"<[a-zA-Z]|list\[|\b(Path|str|int|float|bool|None|TEXT RANGE)\b", text)
    for param in own_params(words):
        if not getattr(param, "is_flag", False):
            assert re.fullmatch(r"[A-Z][A-Z|.\[\] ]*|[a-z0-9|-]+", param.metavar), param.opts


@pytest.mark.parametrize("words", COMMANDS, ids=str)
def test_a_choice_is_shown_with_all_its_values(words: tuple[str, ...]) -> None:
    module, _, function = COMMAND_PLACES[" ".join(words)].partition(":")
    command = getattr(import_module(f"calib_cli.commands.{module}"), function)
    by_name = {param.name: param for param in own_params(words)}
    for name, hint in get_type_hints(command).items():
        for kind in (hint, *get_args(hint)):
            if isinstance(kind, type) and issubclass(kind, Enum):
                assert by_name[name].metavar == "|".join(value.value for value in kind)


@pytest.mark.parametrize("words", COMMANDS, ids=str)
def test_every_option_is_explained_in_a_sentence(words: tuple[str, ...]) -> None:
    for param in own_params(words):
        assert re.match(r"[A-Zydep]", param.help), param.opts
        assert param.help.endswith((".", "]")), param.opts


def panels(lines: list[str]) -> dict[str, list[str]]:
    """Heading of each panel -> its rows without what is wrapped below them."""
    found: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in lines:
        if line.endswith(":") and line.removesuffix(":") in PANELS:
            rows = found[line.removesuffix(":")] = []
        elif not line:
            rows = []
        elif re.match(r"  \S", line) and found:
            rows.append(line.strip())
    return found


def names(label: str) -> list[str]:
    """The names of an option in the help: ``-o, --output FILE``."""
    return [word.rstrip(",") for word in label.split() if word.startswith("-")]


def panel_number(param: Any) -> int:
    return PANELS.index(param.rich_help_panel)


def own_params(words: tuple[str, ...]) -> list[Any]:
    """The arguments and options of a command."""
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    return list(command.params)


def test_without_a_command_the_help_is_an_error() -> None:
    answer = calib()
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Usage: calib [OPTIONS] COMMAND [ARGS]...")


def test_the_values_of_freedom_are_those_of_the_model() -> None:
    assert [name.value for name in FreedomName] == [freedom.value for freedom in Freedom]


def test_the_default_tolerances_are_those_of_the_library() -> None:
    prior = PanelPrior()
    for command in (derive, combine):
        given = {name: p.default for name, p in signature(command).parameters.items()}
        assert given["prior_shift_um"] == 1e3 * prior.shift_mm
        assert given["prior_normal_um"] == 1e3 * prior.normal_mm
        assert given["prior_tilt_mrad"] == 1e3 * prior.tilt_rad
        assert given["level_ratio"] == prior.ratio
