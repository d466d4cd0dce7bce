"""What goes to stdout (results) and to stderr (talk)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from calib_cli.text import printable

if TYPE_CHECKING:
    from calib.report.blocks import Block


class OutputClosedError(Exception):
    """Whoever read the results has closed the pipe."""


def write(text: str) -> None:
    """Write results; raises ``OutputClosedError`` where nobody reads them any more."""
    stream: TextIO | None = sys.stdout  # None where the process was started without one
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _forget(stream)
        raise OutputClosedError from None
    except OSError:
        _forget(stream)
        raise


def write_json(value: Any) -> None:
    """Write one JSON value and a newline; indented where a person looks."""
    write(_json(value, indented=is_terminal(sys.stdout)) + "\n")


def write_blocks(blocks: Sequence[Block]) -> None:
    """Write facts, tables and sentences as text."""
    from calib_cli.rendering import render

    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    write(render(blocks, coloured=is_coloured(sys.stdout), width=width))


def notify(text: str) -> None:
    """Talk to the person at the terminal; a closed stderr harms nobody."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    with contextlib.suppress(OSError):
        stream.write(printable(text) + "\n")
        stream.flush()


def notify_json(value: Any) -> None:
    """Talk to a script: one JSON object on one line of stderr."""
    notify(_json(value, indented=False))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it."""
    return stream is not None and not stream.closed and stream.isatty()


def is_coloured(stream: TextIO | None) -> bool:
    """Whether colours and bars are welcome: on a terminal, unless NO_COLOR says otherwise."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal(stream) and not plain


def _json(value: Any, *, indented: bool) -> str:
    return json.dumps(value, indent=2 if indented else None, allow_nan=False)


def _forget(stream: TextIO) -> None:
    """What could not be written is not tried again when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
