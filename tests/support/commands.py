"""Commands of calib, in this process or in one of their own."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.main import get_command

from calib_cli.main import app
from support.children import environment


@dataclass(frozen=True)
class Answer:
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        """The error for scripts: the last line of stderr."""
        content: dict[str, Any] = json.loads(self.stderr.splitlines()[-1])
        assert list(content) == ["error"]
        error: dict[str, Any] = content["error"]
        return error


def calib(*words: object) -> Answer:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as caught,
    ):
        get_command(app).main([str(word) for word in words], prog_name="calib")
    assert isinstance(caught.value.code, int)
    return Answer(caught.value.code, out.getvalue(), err.getvalue())


def done(*words: object) -> Answer:
    """Run a command in this process; it must end well."""
    answer = calib(*words)
    assert answer.code == 0, answer.stderr
    return answer


def program(*words: object, **variables: str) -> Answer:
    """Run a command as a program of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "calib_cli", *(str(word) for word in words)],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def _below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _below(inner, (*words, name))


ALL_COMMANDS = list(_below(get_command(app), ()))
"""The words of every command, groups as well: (), ("derive",), ("detector", "add"), ..."""


def examples(text: str) -> list[list[str]]:
    """The words of each command line under "Example:", without the program's name."""
    _, _, shown = text.partition("Example:\n")
    lines = re.findall(r"^ +calib (.+)$", shown.partition("\n\n")[0], re.MULTILINE)
    return [shlex.split(line) for line in lines]
