"""Sections of a report, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass

from calib.report.blocks import Block, Table


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with blocks below it; a table after a figure holds the numbers of the figure."""

    key: str
    """Short name: the anchor of the section, and the beginning of the ids in its figure."""
    title: str
    blocks: tuple[Block, ...]
    data: Table | None = None
    """The table for a spreadsheet where it is not the one among the blocks: values and
    uncertainties in columns of their own, in full precision."""


@dataclass(frozen=True, slots=True)
class Page:
    """A report: a title, what a reader must know first, and sections."""

    title: str
    summary: tuple[str, ...]
    """Sentences at the top."""
    sections: tuple[Section, ...]
