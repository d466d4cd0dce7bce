"""Maintenance of a store: its revision, backups, upgrades, checks, and settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class StoreRole(StrEnum):
    """What a role of a Postgres server may do with a store."""

    READER = "reader"
    """Looks up and lists, as all others do."""
    APPLIER = "applier"
    """Records applications."""
    CONTRIBUTOR = "contributor"
    """Records datasets and their summaries."""
    DERIVER = "deriver"
    """Derives calibrations and registers detectors."""
    CERTIFIER = "certifier"
    """Certifies, withdraws, places, changes and retires detectors, and sets rules."""
    ANCHOR = "anchor"
    """Appends checkpoints of other stores."""
    ADMIN = "admin"
    """Does all of these, and loads bundles."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made or restored."""

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
    """None if nothing had to be done, no backup was requested, or in a dry run."""


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """The schema revision of a store, and which programs may use it."""

    revision: str | None
    """None if there is no store."""
    oldest_reader: str | None = None
    """The oldest revision whose programs may read it; None if not recorded."""
    oldest_writer: str | None = None
    """The oldest revision whose programs may write it; None if not recorded."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a store or of its environment, and its result."""

    name: str
    """What was checked, in a word or two."""
    fine: bool
    """Whether the check passed."""
    finding: str
    """What was found, in a sentence."""
    remedy: str = ""
    """What to do about it; empty if the check passed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, and its origin."""

    name: str
    value: Any
    origin: str
    """A file, an environment variable, or ``default``."""
    shown: str
    """The value with passwords hidden, for display; empty if not set."""
