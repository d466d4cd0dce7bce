"""The keys that sign checkpoints, and where signed checkpoints are appended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calib.model.base.canonical import canonical_bytes, microseconds
from calib.model.store.log import LogHead
from calib.model.store.record import ChangeStamp


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs or has signed checkpoints."""

    public_key: bytes
    """Its 32 bytes."""
    made_at: datetime | None
    """UTC; None where unknown."""
    retired_at: datetime | None = None
    """When another key replaced it; None for the current key."""
    compromised_since: datetime | None = None
    """Since when somebody else may have had it; None where nobody is known to."""
    reason: str = ""
    """Why it was replaced."""
    endorsement: bytes | None = None
    """The signature of the key before it, over ``endorsed_bytes``; None without one."""

    @property
    def fingerprint(self) -> str:
        """The public key in hexadecimal."""
        return self.public_key.hex()

    def endorsed_bytes(self, previous: bytes) -> bytes:
        """What the previous key signs to endorse this one."""
        content = {
            "format": "calib/key-endorsement/1",
            "public_key": self.fingerprint,
            "previous": previous.hex(),
        }
        return canonical_bytes(content)

    def content(self) -> dict[str, Any]:
        """The key as plain JSON values; times in microseconds since 1970."""
        return {
            "public_key": self.fingerprint,
            "made_at": _micros(self.made_at),
            "retired_at": _micros(self.retired_at),
            "compromised_since": _micros(self.compromised_since),
            "reason": self.reason,
            "endorsement": None if self.endorsement is None else self.endorsement.hex(),
        }


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else microseconds(instant)


@dataclass(frozen=True, slots=True)
class Anchored:
    """A checkpoint in one place."""

    path: Path | str
    """A file, or the address of a store."""
    commit: str | None
    """The id of the commit; None in a folder that is no repository."""
    pushed_to: str | None
    """The upstream branch that has it; None where the branch has no upstream."""
    position: int | None = None
    """Its position in the log of a store; None in a folder."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The head of a log as reports print it."""

    head: LogHead
    public_key: str | None
    """The key that signed it, in hexadecimal; None if this user has none."""
    signature: str | None
    """In hexadecimal."""


@dataclass(frozen=True, slots=True)
class RecordedCheckpoint:
    """A signed checkpoint of another store, recorded in the log of this one."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    public_key: str
    """The key that verifies it, in hexadecimal."""
    made_at: datetime
    """UTC, by the clock of the other store."""
    last_position: int
    """In the log of the other store."""
    content: str
    """The text of the signed checkpoint, JSON."""
    recorded: ChangeStamp
