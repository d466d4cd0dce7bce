"""Whole stores: their revision, backups and upgrades."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made, or was restored."""

    path: Path
    revision: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did, or would do."""

    before: str
    after: str
    backup: Backup | None
    """None where nothing had to be done, or no backup was wanted, or in a dry run."""


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """A store's revision, and whom it admits."""

    revision: str | None
    """None where there is no store."""
    oldest_reader: str | None = None
    """Programs that know this revision may read it; None where it does not say."""
    oldest_writer: str | None = None
    """Programs that know this revision may write it; None where it does not say."""
