"""Each command has one file, found by its verb, and one line in the table of commands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import calib_cli.commands
from calib_cli.registry import COMMANDS, GROUPS

FOLDER = Path(calib_cli.commands.__file__).parent
SHARED = {"layout.known", "calibration.derivation", "data.conversion"}
"""Modules that hold what several commands share."""


def test_each_module_of_the_commands_has_one_line_in_the_table() -> None:
    files = {
        ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        for path in FOLDER.rglob("*.py")
        if path.stem != "__init__"
    }
    modules = [place.partition(":")[0] for place in COMMANDS.values()]
    assert sorted(modules) == sorted(files - SHARED)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_in_the_file_named_for_its_verb(words: str) -> None:
    module, _, function = COMMANDS[words].partition(":")
    assert module.rpartition(".")[2] == words.split()[-1]
    assert callable(getattr(import_module(f"calib_cli.commands.{module}"), function))


def test_each_group_has_commands_and_each_command_of_two_words_has_a_group() -> None:
    assert {words.split()[0] for words in COMMANDS if " " in words} == set(GROUPS)
