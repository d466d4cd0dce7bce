"""Whole stores: their revision, backups and upgrades.

Checks of a store and of what it stands on.

Settings: what was set, and where.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    """What, in a word or two."""
    fine: bool
    """Whether it is as it should be."""
    said: str
    """What was found, in a sentence."""
    remedy: str = ""
    """What to do about it; empty where it is fine."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and where it comes from."""

    name: str
    value: Any
    origin: str
    """A file, an environment variable, or ``default``."""
    shown: str
    """The value as people may see it, passwords hidden; empty where there is none."""
