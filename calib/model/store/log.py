"""The log: one entry for each change of a store, chained by hashes.

Every detector has a chain of its own, so that its history can be carried elsewhere and prove itself
there; the store's chain holds the births of the detectors. A detector's first own entry names its
birth as the previous one, so that all chains hang together.

A checkpoint: the ends of all chains of a store's log at one moment, to be signed and kept
elsewhere. It reveals a log whose tail was cut off, or that was rewritten whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from calib.errors import InputError
from calib.model.base.canonical import canonical_bytes, content_id
from calib.model.base.content import to_content
from calib.model.store.record import ChangeStamp

LATEST = 2**63 - 1
"""As a position of the log: everything that is recorded."""
STORE_CHAIN = ""
"""The name of the store's own chain; the others bear the serial of their detector."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: who, when, why, what was recorded, and what the change before it was."""

    position: int
    """In the store's one order, dense from 1."""
    recorded: ChangeStamp
    """At max(clock, last + 1 microsecond), by whom, where, with which command, and why."""
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
    """The hash that stands for actor, host and command, so that a chain can be proved where these
    are to stay at home."""
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
    """The hash of rows, column by column: floats, integers, truth values, text, instants and null.

    A column that is null throughout is left out, so that one which is added later does not change
    what older rows are called. A column of floats is hashed as an array. Bytes are to be given as
    their SHA-256.
    """
    said: dict[str, Any] = {}
    for name, values in columns.items():
        if all(value is None for value in values):
            continue
        floats = all(isinstance(value, float) for value in values)
        said[name] = np.array(values, dtype=np.float64) if floats else list(values)
    return content_id({"format": "calib/rows/1", "columns": said})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a store that is not as the log says."""

    table: str
    row: str
    """Which row, in words, such as ``position 12``."""
    problem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of verifying a store's log."""

    findings: tuple[Finding, ...]
    n_entries: int
    n_rows: int
    """Rows that were compared with the log."""
    n_chains: int
    last_position: int
    """0 where the log is empty."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the record: everything up to this position, and nothing after it."""

    position: int
    """0 before the first entry."""
    at: datetime | None
    """When that entry was recorded; None before the first."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain."""

    chain: str
    ordinal: int
    position: int
    hash: str

    def __post_init__(self) -> None:
        if self.ordinal < 1 or self.position < 1 or not re.fullmatch(r"[0-9a-f]{64}", self.hash):
            raise InputError("bad-head", f"{self} is no end of a chain.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a log stood."""

    made_at: datetime
    """UTC."""
    heads: tuple[ChainHead, ...]
    """The end of every chain, by name, the store's first."""

    @property
    def last_position(self) -> int:
        """The last position of the log then; 0 where it was empty."""
        return max((head.position for head in self.heads), default=0)

    def content(self) -> dict[str, Any]:
        """What is signed."""
        return {"format": "calib/checkpoint/1", **to_content(self)}

    def signed_bytes(self) -> bytes:
        """The canonical form of ``content``."""
        return canonical_bytes(self.content())
