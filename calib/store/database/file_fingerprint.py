"""The proof that a file was not changed while it was read without a lock.

In WAL mode the file itself changes only when the log is copied into it (a checkpoint), so a file
without a log which is the same before and after is the whole store of that moment.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 20_000_000
"""Times of files are no finer than the kernel's clock tick (1 to 10 ms)."""
_HEADER = 100
_PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class FileFingerprint:
    """What a change of a file would change."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    header: bytes
    """The first page's beginning, with SQLite's change counter."""

    @staticmethod
    def of(path: Path) -> FileFingerprint:
        """The file as it is; raises ``OSError``."""
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
    def settled(path: Path, wait_seconds: float) -> FileFingerprint | None:
        """The file as it is, once its times are so old that another change would show in them;
        None where it goes on changing for ``wait_seconds``."""
        end = time.monotonic() + wait_seconds
        while True:
            found = FileFingerprint.of(path)
            newest = max(found.modified_ns, found.changed_ns)
            if abs(time.time_ns() - newest) > TICK_NS:
                return found
            if time.monotonic() > end:
                return None
            time.sleep(_PAUSE_SECONDS)

    def holds(self) -> bool:
        """Whether the file is still what it was."""
        try:
            return FileFingerprint.of(self.path) == self
        except OSError:
            return False
