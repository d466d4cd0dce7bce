"""The command line that the system shows to other users (``ps``), without passwords."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from calib.passwords import masked

_ARG_START, _ARG_END = 48, 49
"""Fields of ``/proc/self/stat``: the addresses of the arguments in this process's memory."""
_AFTER_NAME = 3
"""The field after the program's name, which may contain blanks."""


def hide_passwords() -> None:
    """Overwrite passwords in this process's arguments; nothing happens where that is impossible.

    They are visible until then: ``~/.pgpass`` and ``CALIB_STORE`` never show them.
    """
    if not any(masked(word) != word for word in sys.argv):
        return
    with contextlib.suppress(OSError, ValueError, IndexError, ImportError):
        import ctypes

        shown = Path("/proc/self/cmdline").read_bytes()
        words = shown.decode("utf-8", "surrogateescape").split("\0")
        hidden = "\0".join(masked(word) for word in words).encode("utf-8", "surrogateescape")
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        start, end = (int(fields[number - _AFTER_NAME]) for number in (_ARG_START, _ARG_END))
        if end - start == len(shown) == len(hidden):
            ctypes.memmove(start, hidden, len(hidden))
