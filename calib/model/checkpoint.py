"""A checkpoint: the ends of all chains of a store's log at one moment, to be signed and kept
elsewhere. It reveals a log whose tail was cut off, or that was rewritten whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calib.model.canonical import canonical_bytes
from calib.model.content import to_content
from calib.model.log import Head


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a log stood."""

    made_at: datetime
    """UTC."""
    heads: tuple[Head, ...]
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
