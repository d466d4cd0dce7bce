"""Fingerprint of a file, to detect changes while it is read without a lock.

In WAL mode the database file changes only at a checkpoint, when the log is copied into it. A file
without a log that has the same fingerprint before and after a read is a consistent snapshot.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 20_000_000
"""File times have the resolution of the kernel's clock tick (1 to 10 ms)."""
_HEADER = 100
_PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class FileFingerprint:
    """Attributes of a file of which at least one changes when its content does."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    header: bytes
    """First bytes of the file, with SQLite's change counter."""

    @staticmethod
    def of(path: Path) -> FileFingerprint:
        """Read the fingerprint; raises ``OSError``."""
        with path.open("rb") as opened:
            header = opened.read(_HEADER)
            found = os.fstat(opened.fileno())
        return FileFingerprint(
            path,
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            header,
        )

    @staticmethod
    def once_stable(path: Path, wait_seconds: float) -> FileFingerprint | None:
        """The fingerprint once the file times are old enough for another change to show in them;
        None if the file keeps changing for ``wait_seconds``."""
        end = time.monotonic() + wait_seconds
        while True:
            found = FileFingerprint.of(path)
            newest = max(found.modified_ns, found.changed_ns)
            if abs(time.time_ns() - newest) > TICK_NS:
                return found
            if time.monotonic() > end:
                return None
            time.sleep(_PAUSE_SECONDS)

    def is_unchanged(self) -> bool:
        """Whether the file still has this fingerprint."""
        try:
            return FileFingerprint.of(self.path) == self
        except OSError:
            return False
