"""Blocks as text for a terminal or a pipe.

A table that is wider than the terminal wraps its text at words where two lines a row do; else its
columns are shown some at a time, one part below the other, each with the first column. Numbers are
never broken. A figure is not drawn: its caption is printed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from calib.report.blocks import Block, Facts, Figure, Table
from calib_cli.text import printable

_ENDLESS = 10_000
"""Columns of a pipe: lines are not wrapped for a program that reads them."""
_GAP = 2
"""Spaces between two columns."""
_TALLEST = 2
"""Most lines of a row with wrapped text."""
_NARROWEST = 30
"""Fewest columns for wrapped text at the right of other columns."""

Part = dict[int, int]
"""Some columns of a table, by number, with their widths."""


def render(blocks: Sequence[Block], *, coloured: bool, width: int | None = None) -> str:
    """The blocks as text, separated by empty lines; ``width`` is that of the terminal, None for a
    pipe."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or _ENDLESS,
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
        for label, value in block.rows:
            grid.add_row(_cell(label, "dim"), _cell(value))
        console.print(grid)
        return
    if block.title:
        console.print(_cell(block.title, "bold"))
    if isinstance(block, Table):
        for index, part in enumerate(_parts(block, console.width)):
            if index:
                console.print()
            _print_part(console, block, part)
        return
    for line in (block.caption,) if isinstance(block, Figure) else block.lines:
        console.print(_cell(line))


def _print_part(console: Console, block: Table, part: Part) -> None:
    # Gaps are columns: releases of rich differ in how padding at the edge counts.
    table = RichTable(box=None, pad_edge=False, padding=0, header_style="dim")
    for place, (number, width) in enumerate(part.items()):
        if place:
            table.add_column("", width=_GAP)
        side: Literal["left", "right"] = "left" if number < block.n_text else "right"
        table.add_column(_cell(block.columns[number]), justify=side, width=width)
    for row in block.rows:
        cells = [cell for number in part for cell in (_cell(""), _cell(row[number]))]
        table.add_row(*cells[1:])
    console.print(table)


def _parts(block: Table, width: int) -> list[Part]:
    """The columns that fit side by side, part by part."""
    columns = [
        [printable(heading), *(printable(row[number]) for row in block.rows)]
        for number, heading in enumerate(block.columns)
    ]
    natural = [max(_length(text) for text in column) for column in columns]
    if _total(natural) <= width:
        return [dict(enumerate(natural))]
    least = [
        max(_longest_word(text) for text in column)
        if number < block.n_text
        else max(_longest_word(column[0]), *(_length(text) for text in column[1:]), 1)
        for number, column in enumerate(columns)
    ]
    if _total(least) <= width:
        widths = _narrowed(natural, least, width)
        if all(
            _height(text, widths[number]) <= _TALLEST
            for number, column in enumerate(columns)
            for text in column
        ):
            return [dict(enumerate(widths))]
    first = min(natural[0], width // 3)
    room = width - first - _GAP
    parts: list[Part] = [{0: first}]
    for number, wanted in enumerate(natural[1:], start=1):
        left = width - _total(list(parts[-1].values())) - _GAP
        wraps = number < block.n_text and left >= max(least[number], _NARROWEST)
        if len(parts[-1]) > 1 and left < wanted and not wraps:
            parts.append({0: first})
            left = room
        parts[-1][number] = min(wanted, left)
    return parts


def _narrowed(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Column widths that fit, found by narrowing the widest column step by step."""
    widths = list(natural)
    while _total(widths) > width:
        able = [number for number, one in enumerate(widths) if one > least[number]]
        widths[max(able, key=lambda number: widths[number])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _length(text: str) -> int:
    return max((cell_len(line) for line in text.splitlines()), default=0)


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _height(text: str, width: int) -> int:
    """Number of lines of a text wrapped at words."""
    lines, used = 1, 0
    for word in text.split():
        length = cell_len(word)
        if used and used + 1 + length > width:
            lines, used = lines + 1, length
        else:
            used += length + bool(used)
    return lines


def _cell(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, overflow="fold")
