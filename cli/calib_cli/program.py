"""The group of all commands: the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from calib_cli import shells
from calib_cli.errors import INTERRUPTED, PIPE_CLOSED, failure_of
from calib_cli.output import OutputClosedError, notify, notify_json
from calib_cli.registry import Group

_WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())


def command_line() -> str:
    """What was typed, as the log keeps it: passwords in addresses hidden, bytes that are no text
    replaced; empty where no command is being run."""
    from calib.config.location import without_password

    shown = [os.fsencode(word).decode("utf-8", "replace") for word in _WORDS.get()]
    return shlex.join(["calib", *(without_password(word) for word in shown)]) if shown else ""


class Program(Group):
    """All commands. Runs one and ends with its exit code; no traceback ever leaves it."""

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
    """Run a command; say what went wrong, for a script as well where it asked for JSON."""
    try:
        code = int(run() or 0)
    except OutputClosedError:
        return PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:
        return _report_failure(error, words)
    # Typer answers Ctrl-C with an exit code.
    return _report_failure(KeyboardInterrupt(), words) if code == INTERRUPTED else code


def _report_failure(error: BaseException, words: list[str]) -> int:
    failure = failure_of(error, words)
    notify(failure.text)
    if "--json" in words:
        notify_json(failure.content)
    return failure.exit_code
