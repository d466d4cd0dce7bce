"""The log: one entry for each change of a store, chained by hashes.

Every detector has its own chain, so that its history can be moved to another store and verified
there; the chain of the store contains the registrations of detectors. The first entry of a
detector's chain names its registration as the previous entry, which links all chains.

A checkpoint is the list of the heads of all chains at one moment, signed and kept elsewhere. It
reveals a log that was truncated or rewritten as a whole.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from calib.errors import InputError
from calib.model.base.canonical import canonical_bytes, content_id
from calib.model.base.content import to_content
from calib.model.store.record import ChangeStamp

_FEW = 32
LATEST = 2**63 - 1
"""As a position of the log: everything that is recorded."""
STORE_CHAIN = ""
"""The name of the store's own chain; the others bear the serial of their detector."""
CLOCK_KIND = "clock"
"""The kind of an entry that corrects the clock: entries before it whose times are later than its
own have wrong times. It may itself be earlier than the entry before it; it adds no rows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: who, when, why, what was recorded, and what the change before it was."""

    position: int
    """In the store's one order, dense from 1."""
    recorded: ChangeStamp
    """At max(clock, last + 1 microsecond), or at the time of the clock for an entry that corrects
    it; by whom, where, with which command, and why."""
    chain: str
    """The detector's serial, or ``STORE_CHAIN``."""
    ordinal: int
    """In its chain, dense from 1."""
    kind: str
    """What was done: ``detector``, ``calibration``, ``certification``, ``withdrawal``, ..."""
    contents: Mapping[str, str]
    """The tables that got rows, and the hash of these rows (``rows_id``)."""
    salt: str
    """Random text which keeps ``by_id`` from telling a name that somebody guesses."""
    previous: str | None
    """The hash of the previous entry of the chain; for a detector's first, of its birth."""
    hash: str
    """As it was recorded; right where it is ``entry_id(self)``."""


def by_id(stamp: ChangeStamp, salt: str) -> str:
    """The hash of actor, host and command: it verifies a chain from which these are withheld."""
    return content_id(
        {
            "format": "calib/by/1",
            "actor": stamp.actor,
            "host": stamp.host,
            "command": stamp.command,
            "salt": salt,
        }
    )


def entry_id(entry: Entry, by: str | None = None) -> str:
    """The SHA-256 of the entry's canonical content; ``by`` where only the hash of actor, host and
    command is known."""
    return content_id(
        {
            "format": "calib/entry/1",
            "position": entry.position,
            "recorded_at": entry.recorded.at,
            "by": by_id(entry.recorded, entry.salt) if by is None else by,
            "reason": entry.recorded.reason,
            "chain": entry.chain,
            "ordinal": entry.ordinal,
            "kind": entry.kind,
            "contents": dict(entry.contents),
            "previous": entry.previous,
        }
    )


def rows_id(columns: Mapping[str, Sequence[Any]]) -> str:
    """The hash of rows, by column: floats, integers, booleans, text, instants and null.

    A column of nulls only is omitted, so that adding a column does not change the hashes of older
    rows. A column of floats is hashed as an array. Bytes have to be given as their SHA-256.
    """
    hashed: dict[str, Any] = {}
    for name, values in columns.items():
        if all(value is None for value in values):
            continue
        floats = all(isinstance(value, float) for value in values)
        hashed[name] = _float_array(values) if floats else list(values)
    return content_id({"format": "calib/rows/1", "columns": hashed})


def _float_array(values: Sequence[float]) -> Any:
    """Both have the same canonical form; that of numpy is slow to make of few values."""
    if len(values) > _FEW:
        return np.array(values, dtype=np.float64)
    return array("d", values)


@dataclass(frozen=True, slots=True)
class Finding:
    """A discrepancy between a store and its log."""

    table: str
    row: str
    """The row, such as ``position 12``."""
    problem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of verifying a store against its log."""

    findings: tuple[Finding, ...]
    n_entries: int
    n_rows: int
    """Number of rows compared with the log."""
    n_chains: int
    last_position: int
    """0 if the log is empty."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the store: everything recorded up to this position."""

    position: int
    """0 before the first entry."""
    at: datetime | None
    """When that entry was recorded; None before the first."""


@dataclass(frozen=True, slots=True)
class ClockCorrection:
    """The statement that the last entries of the log have wrong times, which are in the future."""

    first: int
    """The position of the first of them."""
    last: int
    """The position of the last of them."""
    latest: datetime
    """The latest of their times."""
    at: datetime
    """The right time, at which the log goes on."""
    position: int | None
    """The position of the entry that states it; None before it is recorded."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last entry of a chain."""

    chain: str
    ordinal: int
    position: int
    hash: str

    def __post_init__(self) -> None:
        if self.ordinal < 1 or self.position < 1 or not re.fullmatch(r"[0-9a-f]{64}", self.hash):
            raise InputError("bad-head", f"{self} is not the head of a chain.")


@dataclass(frozen=True, slots=True)
class LogHead:
    """One hash for the whole log up to a position."""

    position: int
    """0 if the log is empty."""
    hash: str
    """The SHA-256 of the heads of all chains at that position."""

    @staticmethod
    def of(heads: Sequence[ChainHead]) -> LogHead:
        """The head of a log whose chains end so; ``heads`` are sorted by chain."""
        position = max((head.position for head in heads), default=0)
        content = {"format": "calib/heads/1", "heads": to_content(tuple(heads))}
        return LogHead(position, content_id(content))

    def signed_bytes(self) -> bytes:
        """What is signed."""
        return canonical_bytes({"format": "calib/log-head/1", **to_content(self)})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The heads of all chains of a log at one moment."""

    made_at: datetime
    """UTC."""
    heads: tuple[ChainHead, ...]
    """The head of every chain, by name, that of the store first."""

    @property
    def last_position(self) -> int:
        """The last position of the log at that moment; 0 if it was empty."""
        return max((head.position for head in self.heads), default=0)

    def content(self) -> dict[str, Any]:
        """The signed content."""
        return {"format": "calib/checkpoint/1", **to_content(self)}

    def signed_bytes(self) -> bytes:
        """The canonical form of ``content``."""
        return canonical_bytes(self.content())
