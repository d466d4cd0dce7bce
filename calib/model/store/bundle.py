"""Bundles: one detector, or one calibration, with its history, verifiable without its store.

A bundle contains the entries of the detector's chain, from its registration on, and the rows that
they hash, with their positions in the store of origin. Rows may be withheld: file paths and
applications, unless usage is included; and, in the bundle of one calibration, the rows of others.
If actor, host and command of an entry are withheld, their hash ``by`` is given instead.

Entries of another store's log that a bundle brought are recorded as history only: they certify
nothing here.
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

BINDING = "binding"
"""The table whose rows bind entries to detectors."""
USAGE = ("application", "origin", "provenance")
"""Tables whose rows may be withheld: they record who did what with which files."""
LOOSE = ("artifact", "dataset", "summary")
"""Tables of which a row may come from a change outside the chain."""


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """An entry of the log in a bundle."""

    entry: Entry
    """Actor, host, command and salt are empty if they were withheld."""
    by: str
    """The hash of actor, host and command that enters the hash of the entry."""
    signed: bool
    """Whether actor, host, command and salt are given."""


@dataclass(frozen=True, slots=True, eq=False)
class BundleRows:
    """The rows of one table that one change added, by column."""

    table: str
    position: int
    columns: Mapping[str, tuple[Any, ...]]
    """Null, booleans, integers, floats, text, instants and bytes."""
    loose: bool
    """Whether these are only some rows of a change, to which no hash in the chain applies."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """The content of one bundle file."""

    serial: str
    calibration_id: str | None
    """None: the whole detector."""
    with_usage: bool
    code_version: str
    """The version of calib that wrote it."""
    entries: tuple[BundleEntry, ...]
    """In log order, the registration of the detector first."""
    rows: tuple[BundleRows, ...]

    def verify(self) -> None:
        """Raise ``FileFormatError`` unless the entries form a chain and the rows match it."""
        try:
            self._verify_chain()
            self._verify_rows()
        except FileFormatError:
            raise
        except (CalibError, ValueError, TypeError, KeyError) as error:
            raise _broken(why=f"it cannot be read ({error})") from error

    def _verify_chain(self) -> None:
        if not self.entries or self.entries[0].entry.chain != STORE_CHAIN:
            raise _broken(why="it does not begin with the registration of the detector")
        previous, ordinal, position = self.entries[0].entry.hash, 0, 0
        for one in self.entries:
            entry = one.entry
            by = by_id(entry.recorded, entry.salt) if one.signed else one.by
            if by != one.by or entry_id(entry, by) != entry.hash:
                raise _broken(why=f"entry {entry.position} does not match its hash")
            if entry.position <= position:
                raise _broken(why=f"entry {entry.position} is out of order")
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
                raise _broken(why=f"{place} do not match the hash in the log")
            given.add((rows.position, rows.table))
            if rows.table == BINDING and rows.columns["detector"] != (self.serial,):
                raise _broken(why=f"{place} are bound to another detector")
        if self.calibration_id is not None:
            return
        for position, tables in contents.items():
            for table in tables:
                withheld = table in USAGE and not self.with_usage
                if not withheld and (position, table) not in given:
                    raise _broken(why=f"the rows of {table} at position {position} are missing")


def _hashed(columns: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The columns as the log hashes them: bytes as their SHA-256."""
    return {
        name: tuple(
            hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
            for value in values
        )
        for name, values in columns.items()
    }


def _verify_loose(rows: BundleRows, place: str) -> None:
    """Verify rows that contain their own hash: artifacts and datasets."""
    if rows.table not in LOOSE:
        raise _broken(why=f"{place} belong to no change")
    if rows.table == "artifact":
        for name, content in zip(rows.columns["sha256"], rows.columns["content"], strict=True):
            if hashlib.sha256(content).hexdigest() != name:
                raise _broken(why=f"{place} do not match their own hash")
    if rows.table == "dataset":
        for name, files in zip(rows.columns["id"], rows.columns["sha256"], strict=True):
            if content_id({"format": "calib/dataset/1", "sha256": json.loads(files)}) != name:
                raise _broken(why=f"{place} do not match their own hash")


def _broken(why: str) -> FileFormatError:
    return FileFormatError(
        "broken-bundle",
        f"the bundle is damaged: {why}.",
        remedy="copy it again from where it was made, or create it again.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class OriginEntry:
    """An entry of the log of another store."""

    bundled: BundleEntry
    calibration_id: str | None
    """The calibration that it concerns; None if it concerns the detector."""
    version: int | None
    """The version of the calibration in that store."""
    values: Mapping[str, Any]
    """The columns of what was certified, withdrawn or placed; empty for other entries."""
    loaded: ChangeStamp
    """When and by whom it was recorded here."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """The result of loading a bundle."""

    serial: str
    registered: bool
    """Whether the detector is new to the store."""
    calibrations: tuple[tuple[str, int | None, bool], ...]
    """Each calibration: its name here, its version in the store of origin, whether it is new."""
    n_history: int
    """New entries of the log of origin."""
    adopted: tuple[int, ...]
    """Numbers of the certifications that were adopted."""
    n_applications: int
    """New applications."""
