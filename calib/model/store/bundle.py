"""One detector, or one calibration, with its history: what a bundle carries and how it proves it.

A bundle holds the entries of the detector's chain, from its birth on, and the rows that they speak
of, with the positions that they had in their store. Rows may be withheld: what says where files
lay and who applied what to which file, unless usage is to travel along; and in the bundle of one
calibration what belongs to others. Of an entry whose actor, host and command are withheld the hash
``by`` stands for them.

What a bundle told of another store: its log's entries, recorded here, holding nothing here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calib.errors import CalibError, FileFormatError
from calib.model.base.canonical import content_id
from calib.model.store.log import STORE_CHAIN, Entry, by_id, entry_id, rows_id
from calib.model.store.record import ChangeStamp

USAGE = ("application", "origin", "provenance")
"""The tables whose rows may stay at home: they say who did what with which files."""
LOOSE = ("artifact", "dataset", "summary")
"""The tables of which a row may come from another change than those of the chain."""


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """An entry of the log as a bundle carries it."""

    entry: Entry
    """Actor, host, command and salt are empty where they were withheld."""
    by: str
    """What stands for them in the entry's hash."""
    signed: bool
    """Whether they are given."""


@dataclass(frozen=True, slots=True, eq=False)
class BundleRows:
    """The rows of one table that one change added, column by column."""

    table: str
    position: int
    columns: Mapping[str, tuple[Any, ...]]
    """Null, truth values, integers, floats, text, instants and bytes."""
    loose: bool
    """Whether these are single rows out of a change, whose hash the chain cannot tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What one file carries."""

    serial: str
    calibration_id: str | None
    """None: the whole detector."""
    with_usage: bool
    code_version: str
    """The calib that made it."""
    entries: tuple[BundleEntry, ...]
    """In the order of the record, the detector's birth first."""
    rows: tuple[BundleRows, ...]

    def verify(self) -> None:
        """Raise ``FileFormatError`` unless the entries follow from one another and the rows are
        those that they speak of."""
        try:
            self._verify_chain()
            self._verify_rows()
        except FileFormatError:
            raise
        except (CalibError, ValueError, TypeError, KeyError) as error:
            raise _broken(why=f"it cannot be read ({error})") from error

    def _verify_chain(self) -> None:
        if not self.entries or self.entries[0].entry.chain != STORE_CHAIN:
            raise _broken(why="it does not begin with the birth of the detector")
        previous, ordinal, position = self.entries[0].entry.hash, 0, 0
        for one in self.entries:
            entry = one.entry
            by = by_id(entry.recorded, entry.salt) if one.signed else one.by
            if by != one.by or entry_id(entry, by) != entry.hash:
                raise _broken(why=f"entry {entry.position} is not what it was")
            if entry.position <= position:
                raise _broken(why=f"entry {entry.position} stands out of order")
            position = entry.position
            if one is self.entries[0]:
                continue
            ordinal += 1
            if (entry.chain, entry.ordinal, entry.previous) != (self.serial, ordinal, previous):
                raise _broken(why=f"entry {entry.position} does not follow from the one before it")
            previous = entry.hash

    def _verify_rows(self) -> None:
        contents = {one.entry.position: one.entry.contents for one in self.entries}
        given = set()
        for rows in self.rows:
            place = f"the rows of {rows.table} at position {rows.position}"
            if rows.loose:
                _verify_loose(rows, place)
                continue
            if rows_id(_hashed(rows.columns)) != contents[rows.position].get(rows.table):
                raise _broken(why=f"{place} are not those that the log speaks of")
            given.add((rows.position, rows.table))
        if self.calibration_id is not None:
            return
        for position, tables in contents.items():
            for table in tables:
                withheld = table in USAGE and not self.with_usage
                if not withheld and (position, table) not in given:
                    raise _broken(why=f"the rows of {table} at position {position} are missing")


def _hashed(columns: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The columns as the log hashes them: bytes by their SHA-256."""
    return {
        name: tuple(
            hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
            for value in values
        )
        for name, values in columns.items()
    }


def _verify_loose(rows: BundleRows, place: str) -> None:
    """Rows which name themselves: an artifact by its bytes, a dataset by its files."""
    if rows.table not in LOOSE:
        raise _broken(why=f"{place} belong to no change")
    if rows.table == "artifact":
        for name, content in zip(rows.columns["sha256"], rows.columns["content"], strict=True):
            if hashlib.sha256(content).hexdigest() != name:
                raise _broken(why=f"{place} are not what they were")
    if rows.table == "dataset":
        for name, files in zip(rows.columns["id"], rows.columns["sha256"], strict=True):
            if content_id({"format": "calib/dataset/1", "sha256": json.loads(files)}) != name:
                raise _broken(why=f"{place} are not what they were")


def _broken(why: str) -> FileFormatError:
    return FileFormatError(
        "broken-bundle",
        f"the bundle is not as it was made: {why}.",
        remedy="get it again from where it was made.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class OriginEntry:
    """An entry of another store's log."""

    told: BundleEntry
    calibration_id: str | None
    """The calibration that it is about; None where it is about the detector."""
    version: int | None
    """The number that the calibration had there."""
    said: Mapping[str, Any]
    """What was certified, withdrawn or placed, column by column; empty for other entries."""
    loaded: ChangeStamp
    """By whom and when it was recorded here."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What came of loading a bundle."""

    serial: str
    registered: bool
    """Whether the store did not know the detector before."""
    calibrations: tuple[tuple[str, int | None, bool], ...]
    """Each calibration: its name here, its number in the store of origin, and whether it is new."""
    n_history: int
    """Entries of the origin's log that are new here."""
    adopted: tuple[int, ...]
    """The numbers of the certifications that hold here by now."""
    n_applications: int
    """Applications that are new here."""
