"""Blocks as text for a terminal or a pipe."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from calib.report.blocks import Block, Facts, Table
from calib_cli.output import harmless

_ENDLESS = 10_000
"""Columns of a pipe: nothing is wrapped or cut for a program that reads lines."""


def rendered(blocks: Sequence[Block], *, coloured: bool) -> str:
    """The blocks one below the other, an empty line between them."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=shutil.get_terminal_size().columns if coloured else _ENDLESS,
        force_terminal=coloured,
        color_system="standard" if coloured else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    for index, block in enumerate(blocks):
        if index:
            console.print()
        _print(console, block)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def _print(console: Console, block: Block) -> None:
    if isinstance(block, Facts):
        grid = RichTable.grid(padding=(0, 2))
        for label, said in block.rows:
            grid.add_row(_cell(label, "dim"), _cell(said))
        console.print(grid)
        return
    if block.title:
        console.print(_cell(block.title, "bold"))
    if isinstance(block, Table):
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for number, heading in enumerate(block.columns):
            table.add_column(_cell(heading), justify="left" if number < block.n_text else "right")
        for row in block.rows:
            table.add_row(*(_cell(text) for text in row))
        console.print(table)
        return
    for line in block.lines:
        console.print(_cell(line))


def _cell(text: str, style: str = "") -> Text:
    return Text(harmless(text), style=style, overflow="fold")
