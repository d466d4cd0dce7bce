"""The group of all commands, where errors become messages and exit codes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from calib.passwords import without_password
from calib_cli import shells
from calib_cli.errors import INTERRUPTED, PIPE_CLOSED, failure_of
from calib_cli.output import OutputClosedError, notify, notify_json
from calib_cli.registry import Group

_WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())


def command_line() -> str:
    """The command line for the log, with passwords hidden and undecodable bytes replaced; empty
    outside of a command."""
    shown = [os.fsencode(word).decode("utf-8", "replace") for word in _WORDS.get()]
    return shlex.join(["calib", *(without_password(word) for word in shown)]) if shown else ""


class Program(Group):
    """All commands. Runs one and exits with its code; never prints a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        _WORDS.set(words)

        def run() -> Any:
            return super(Program, self).main(
                words, prog_name, complete_var, False, windows_expand_args, **extra
            )

        code = shells.complete(run) if shells.VARIABLE in os.environ else exit_code_of(run, words)
        if standalone_mode:
            sys.exit(code)
        return code


def exit_code_of(run: Callable[[], Any], words: list[str]) -> int:
    """Run a command; print an error as a message and, with --json, as JSON."""
    try:
        code = int(run() or 0)
    except OutputClosedError:
        return PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:
        return _report_failure(error, words)
    # Typer turns Ctrl-C into an exit code.
    return _report_failure(KeyboardInterrupt(), words) if code == INTERRUPTED else code


def _report_failure(error: BaseException, words: list[str]) -> int:
    failure = failure_of(error, words)
    notify(failure.text)
    if "--json" in words:
        notify_json(failure.content)
    return failure.exit_code
