"""Read printed tables: which number is where, in which unit.

Columns are found by a word or two of their heading, units by their names in the heading or in the
title, numbers by their digits; nothing else of the wording counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from calib.report.blocks import Block, Facts, Sentences, Table

LENGTHS_PER_MM = {"nm": 1e6, "um": 1e3, "µm": 1e3, "mm": 1.0}
ANGLES_PER_RAD = {"urad": 1e6, "µrad": 1e6, "mrad": 1e3, "rad": 1.0, "deg": math.degrees(1.0)}
SHIFTS, TURNS = ("dx", "dy", "dz"), ("rx", "ry", "rz")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w]|\.\d)")


def tables(blocks: Sequence[Block]) -> Iterator[Table]:
    """The tables among the blocks."""
    return (block for block in blocks if isinstance(block, Table))


def table_with(blocks: Sequence[Block], *headings: str) -> Table:
    """The only table that has a column of each of these words."""
    (found,) = (one for one in tables(blocks) if all(_places(one, (word,)) for word in headings))
    return found


def column(table: Table, *wanted: str, without: str = "") -> int:
    """The number of the only column whose heading has all of the wanted words (or words that
    begin with them), and not another one."""
    (found,) = (
        place
        for place in _places(table, wanted)
        if not (without and _has(table.columns[place], without))
    )
    return found


def cell(table: Table, row: Sequence[str], *wanted: str, without: str = "") -> str:
    """What a row has in a column."""
    return row[column(table, *wanted, without=without)]


def row_of(table: Table, text: str, *wanted: str) -> tuple[str, ...]:
    """The only row that has this text in a column, the first one if no words are given."""
    place = column(table, *wanted) if wanted else 0
    (found,) = (row for row in table.rows if row[place] == text)
    return found


def numbers(text: str) -> list[str]:
    """The numbers in a text, as they are written."""
    return _NUMBER.findall(text)


def check_numbers(text: str, *values: float) -> None:
    """Fail unless a text has these numbers in this order and no others, each as it is rounded."""
    found = numbers(text)
    assert len(found) == len(values), f"{text!r} has not {len(values)} numbers"
    for shown, value in zip(found, values, strict=True):
        check_rounded(shown, value)


def check_rounded(shown: str, value: float) -> None:
    """Fail unless a number is this value, rounded to the digits that are shown."""
    mantissa, _, exponent = shown.partition("e")
    digits = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - digits)
    assert abs(float(shown) - value) <= half * (1.0 + 1e-6), f"{shown} is not {value}"


def shown_per_internal(table: Table, parameter: str) -> float:
    """By what mm or rad are multiplied in the column of a panel's parameter, as its heading or
    the title names the unit."""
    units = LENGTHS_PER_MM if parameter in SHIFTS else ANGLES_PER_RAD
    for text in (table.columns[column(table, parameter)], table.title):
        found = [units[word] for word in _words(text) if word in units]
        if found:
            assert len(found) == 1, f"{text!r} names several units"
            return found[0]
    raise AssertionError(f"no unit of {parameter} in {table.columns} or {table.title!r}")


def fact(blocks: Sequence[Block], *, at: int) -> str:
    """What the fact of a number says, counted over the first block of facts."""
    facts = next(block for block in blocks if isinstance(block, Facts))
    return facts.rows[at][1]


def lines_with(blocks: Sequence[Block], *parts: str) -> list[str]:
    """The lines of sentences and facts that hold all of these parts."""
    lines = []
    for block in blocks:
        if isinstance(block, Facts):
            lines += [text_of_row for _, text_of_row in block.rows]
        elif isinstance(block, Sentences):
            lines += block.lines
    return [line for line in lines if all(part in line for part in parts)]


def _places(table: Table, wanted: Sequence[str]) -> list[int]:
    return [
        place
        for place, heading in enumerate(table.columns)
        if all(_has(heading, word) for word in wanted)
    ]


def _has(heading: str, wanted: str) -> bool:
    return any(
        word == wanted or (len(wanted) > 2 and word.startswith(wanted)) for word in _words(heading)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text)
