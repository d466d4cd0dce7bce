"""Errors as people and scripts are told of them, and the number that the process ends with."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from calib.errors import CalibError

DONE, NO, BAD_INPUT, MACHINE, SOME_FAILED, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
"""What the process ends with; docs/reference/json.md explains each."""
PIPE_CLOSED, TERMINATED = 141, 143
"""As the shell reports a program that a signal ended (SIGPIPE, SIGTERM)."""
_MACHINE_ERRORS = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EIO: "machine-failed",
    errno.EROFS: "machine-failed",
    errno.EMFILE: "machine-failed",
    errno.ENFILE: "machine-failed",
    errno.ENOMEM: "out-of-memory",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command did not do what it was asked."""

    exit_code: int
    code: str
    problem: str
    place: str = ""
    remedy: str = ""

    @property
    def text(self) -> str:
        """``Error: problem`` and, where there is one, ``Try: remedy``."""
        problem = f"{self.place}: {self.problem}" if self.place else self.problem
        lines = [f"Error: {problem}"]
        if self.remedy:
            lines.append(f"Try: {self.remedy}")
        return "\n".join(lines)

    @property
    def content(self) -> dict[str, Any]:
        """The same for a script."""
        return {
            "error": {
                "code": self.code,
                "problem": self.problem,
                "place": self.place or None,
                "remedy": self.remedy or None,
            }
        }


def failure_of(error: BaseException, words: list[str]) -> Failure:
    """What went wrong; for a bug, a report is written. ``words`` is the command line."""
    if isinstance(error, CalibError) and error.exit_code != BUG:
        # A full stop would be pasted along with the command before it.
        remedy = error.remedy if error.remedy.endswith("...") else error.remedy.removesuffix(".")
        return Failure(error.exit_code, error.code, error.problem, error.place, remedy)
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, "interrupted", "interrupted.")
    if _is_usage_error(error):
        return _misuse(error)
    if isinstance(error, MemoryError):
        return Failure(
            MACHINE, "out-of-memory", "there is not enough memory.", "", "fewer datasets at once"
        )
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
        return Failure(
            MACHINE,
            _MACHINE_ERRORS[error.errno],
            f"the machine failed ({error.strerror}).",
            str(error.filename or ""),
            "again when there is room, or somewhere else",
        )
    return _bug(error, words)


def _is_usage_error(error: BaseException) -> bool:
    # Typer brings these classes along from 0.16 on; before, they are those of the package click.
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)


def _misuse(error: BaseException) -> Failure:
    said = str(getattr(error, "format_message", error.__str__)())
    said = said.replace("Value error, ", "")  # newer Typer's
    context = getattr(error, "ctx", None)
    command = "calib" if context is None else context.command_path
    return Failure(BAD_INPUT, "bad-use", " ".join(said.split()), remedy=f"{command} --help")


def _bug(error: BaseException, words: list[str]) -> Failure:
    from calib.config.location import without_password
    from calib_cli.crash_report import write_report

    path = write_report(error, words)
    what = without_password(f"{type(error).__name__}: {error}").rstrip(": ")
    if path is None:
        remedy = "report it to the developers of calib, with what you typed"
    else:
        remedy = f"report it to the developers of calib with the file {path}"
    return Failure(BUG, "bug", f"calib failed, which is a bug ({what}).", remedy=remedy)
