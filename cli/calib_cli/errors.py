"""Errors as messages for people and JSON for scripts, and the exit codes."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from calib.errors import CalibError
from calib.passwords import without_password

DONE, NO, BAD_INPUT, MACHINE, SOME_FAILED, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
"""Exit codes; docs/reference/json.md explains each."""
PIPE_CLOSED, TERMINATED = 141, 143
"""128 plus the number of the signal that ended the program (SIGPIPE, SIGTERM)."""
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
    """Why a command failed."""

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
        """The same as JSON."""
        return {
            "error": {
                "code": self.code,
                "problem": self.problem,
                "place": self.place or None,
                "remedy": self.remedy or None,
            }
        }


def failure_of(error: BaseException, words: list[str]) -> Failure:
    """Describe an error; for a bug, write a report. ``words`` is the command line."""
    if isinstance(error, CalibError) and error.exit_code != BUG:
        # A full stop would be copied together with the command before it.
        remedy = error.remedy if error.remedy.endswith("...") else error.remedy.removesuffix(".")
        return Failure(error.exit_code, error.code, error.problem, error.place, remedy)
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, "interrupted", "interrupted.")
    if _is_usage_error(error):
        return _usage_failure(error)
    if isinstance(error, MemoryError):
        return Failure(
            MACHINE, "out-of-memory", "there is not enough memory.", "", "fewer datasets at once"
        )
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
        return Failure(
            MACHINE,
            _MACHINE_ERRORS[error.errno],
            f"the system reports: {error.strerror}.",
            str(error.filename or ""),
            "again when there is space, or another disk",
        )
    return _bug(error, words)


def _is_usage_error(error: BaseException) -> bool:
    # Typer has copies of these classes from 0.16 on; before, they come from the package click.
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)


def _usage_failure(error: BaseException) -> Failure:
    message = str(getattr(error, "format_message", error.__str__)())
    message = without_password(message)
    message = message.replace("Value error, ", "")  # added by newer releases of Typer
    context = getattr(error, "ctx", None)
    command = "calib" if context is None else context.command_path
    return Failure(BAD_INPUT, "bad-use", " ".join(message.split()), remedy=f"{command} --help")


def _bug(error: BaseException, words: list[str]) -> Failure:
    from calib_cli.crash_report import write_report

    path = write_report(error, words)
    what = without_password(f"{type(error).__name__}: {error}").rstrip(": ")
    if path is None:
        remedy = "report it to the developers of calib, with your command line"
    else:
        remedy = f"report it to the developers of calib with the file {path}"
    return Failure(BUG, "bug", f"calib failed, which is a bug ({what}).", remedy=remedy)
