"""Results on stdout, messages on stderr."""

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
    """The reader of the results has closed the pipe."""


def write(text: str) -> None:
    """Write results; raises ``OutputClosedError`` if the reader has closed the pipe."""
    stream: TextIO | None = sys.stdout  # None where the process was started without one
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
        raise OutputClosedError from None
    except OSError:
        _discard(stream)
        raise


def write_json(value: Any) -> None:
    """Write one JSON value and a newline; indented on a terminal."""
    write(_json(value, indented=is_terminal(sys.stdout)) + "\n")


def refuse_two_formats(*, as_json: bool, as_csv: bool) -> None:
    """Raise ``InputError`` (``bad-use``) where both --json and --csv are given."""
    if as_json and as_csv:
        from calib.errors import InputError

        raise InputError(
            "bad-use", "--json and --csv are two formats.", remedy="give only one of the two."
        )


def write_blocks(blocks: Sequence[Block]) -> None:
    """Write facts, tables and sentences as text."""
    from calib_cli.rendering import render

    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    write(render(blocks, coloured=is_coloured(sys.stdout), width=width))


def notify(text: str) -> None:
    """Write a message to stderr; a closed stderr is ignored."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    with contextlib.suppress(OSError):
        stream.write(printable(text) + "\n")
        stream.flush()


def notify_json(value: Any) -> None:
    """Write one JSON object to a line of stderr."""
    notify(_json(value, indented=False))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def is_coloured(stream: TextIO | None) -> bool:
    """Whether to use colours and progress bars: on a terminal, unless NO_COLOR is set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal(stream) and not plain


def _json(value: Any, *, indented: bool) -> str:
    return json.dumps(value, indent=2 if indented else None, allow_nan=False)


def _discard(stream: TextIO) -> None:
    """Discard what is buffered, so that the interpreter does not write it again at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
