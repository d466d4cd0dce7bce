"""Corrections of Typer's completion protocol for the shells.

bash splits words at ":" and "=", so that ``24-0107:3`` arrives in three pieces, and expects only
the last piece in return. It inserts values as they are, so that blanks must be escaped. Errors are
not printed, and a server that does not respond does not block the shell.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

VARIABLE = "_CALIB_COMPLETE"
"""Set by the shell to ``complete_bash``, ``complete_zsh`` and so on, with the words typed so far
in further variables."""
_PATIENCE_SECONDS = 10.0
_BREAKS = (":", "=")
"""Where bash splits words (``COMP_WORDBREAKS``)."""


def complete(answer: Callable[[], Any]) -> int:
    """Run ``answer``, which prints what the shell should offer, and print it as the shell needs
    it; return the exit code."""
    is_bash = os.environ[VARIABLE].endswith("_bash")
    words = BashWords.read() if is_bash else None
    out, code = io.StringIO(), 0
    _end_after(_PATIENCE_SECONDS)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            answer()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except Exception:  # noqa: S110  # nothing is offered
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    lines = [line for line in out.getvalue().splitlines() if line]
    if words is not None:
        lines = [words.insertion(line) for line in lines]
    with contextlib.suppress(OSError):
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    return code


class BashWords:
    """The words of a command line as bash splits them, joined again at ":" and "="."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.words: list[str] = []
        self._n_before = 0
        """Characters of the last word before the piece that bash completes."""
        joining = False
        for piece in pieces:
            is_new = not piece or piece.startswith("-")
            if piece in _BREAKS and self.words:
                self.words[-1] += piece
                self._n_before = len(self.words[-1])
                joining = True
            elif joining and not is_new:
                self.words[-1] += piece
                joining = False
            else:
                self.words.append(piece)
                self._n_before = 0
                joining = False

    @staticmethod
    def read() -> BashWords | None:
        """Join the words in the environment, for Typer to read; None for ``source_bash``."""
        text, number = os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", "")
        if not number.isdecimal():
            return None
        separator = "\n" if "\n" in text else " "
        pieces = text.split(separator)[: int(number) + 1]
        pieces += [""] * (int(number) + 1 - len(pieces))
        read = BashWords(pieces)
        os.environ["COMP_WORDS"] = separator.join(read.words)
        os.environ["COMP_CWORD"] = str(len(read.words) - 1)
        return read

    def insertion(self, value: str) -> str:
        """What bash must insert in place of its last piece, for a value of the last word."""
        last = self.words[-1]
        before = last[: self._n_before]
        if before.startswith("-"):  # of --serial=24, the value is what follows "="
            before = before.partition("=")[2]
        rest = value.removeprefix(before)
        return rest if last.startswith(("'", '"')) else re.sub(r"([^\w@%+=:,./~-])", r"\\\1", rest)


def _end_after(seconds: float) -> None:
    """End the process without an answer when it takes too long, as with a server that is away."""

    def end(number: int, frame: FrameType | None) -> None:
        os._exit(0)

    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, seconds)
