"""The reference of the command line, written from the commands themselves at build time.

The line ``<!-- commands -->`` in a page is replaced by the help of each command, as
``--help-all`` prints it.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

MARK = "<!-- commands -->"
WIDTH = 92
"""Columns of the printed help."""


def commands_text() -> str:
    """All commands in Markdown, each group before its commands, in the order of the help."""
    from typer.main import get_command

    from calib_cli.main import app

    root = get_command(app)
    return "\n".join(_section(words, _help(root, words)) for words in _below(root, ()))


def _below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _below(inner, (*words, name))


def _help(root: Any, words: tuple[str, ...]) -> str:
    printed = io.StringIO()
    narrow = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    with patch.dict(os.environ, narrow), contextlib.redirect_stdout(printed):
        root.main([*words, "--help-all"], prog_name="calib", standalone_mode=False)
    return printed.getvalue().strip("\n")


def _section(words: tuple[str, ...], text: str) -> str:
    level = 3 if len(words) > 1 else 2
    return f"{'#' * level} {' '.join(('calib', *words))}\n\n````text\n{text}\n````\n"


def _fill(_app: Any, _name: str, source: list[str]) -> None:
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, commands_text())


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
