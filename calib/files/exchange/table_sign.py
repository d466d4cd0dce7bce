"""Signs of tables of displacements; apart, since the help of commands loads it."""

from __future__ import annotations

from enum import StrEnum


class TableSign(StrEnum):
    """What a table of displacements adds to."""

    PLUS = "plus"
    """The ideal position is raw + table / 100: XDS."""
    MINUS = "minus"
    """The ideal position is raw - table / 100: pyFAI."""
