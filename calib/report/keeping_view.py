"""Stores as a whole, as scripts see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.model.store.backup import Backup, Check, Setting, StoreRevision, Upgraded
from calib.model.store.rule import Rule
from calib.report.certification_view import deed_view


def revision_view(store: str, found: StoreRevision, known: str) -> dict[str, Any]:
    """The revision of a store, whom it admits, and the revision of this program."""
    return {
        "store": store,
        "revision": found.revision,
        "program": known,
        "current": found.revision == known,
        "oldest_reader": found.oldest_reader,
        "oldest_writer": found.oldest_writer,
    }


def check_view(check: Check) -> dict[str, Any]:
    """One thing that was looked at."""
    return {
        "name": check.name,
        "fine": check.fine,
        "said": check.said,
        "remedy": check.remedy.removesuffix(".") or None,
    }


def checks_view(store: str, checks: Sequence[Check]) -> dict[str, Any]:
    """Everything that was looked at."""
    return {
        "store": store,
        "fine": all(check.fine for check in checks),
        "checks": [check_view(check) for check in checks],
    }


def doctor_view(settings: Sequence[Setting], checks: Sequence[Check]) -> dict[str, Any]:
    """What calib stands on: settings with where they come from, and what was looked at."""
    return {
        "fine": all(check.fine for check in checks),
        "settings": [
            {"name": one.name, "value": one.shown or None, "from": one.origin} for one in settings
        ],
        "checks": [check_view(check) for check in checks],
    }


def backup_view(store: str, backup: Backup) -> dict[str, Any]:
    """A backup of a store."""
    return {
        "store": store,
        "backup": str(backup.path),
        "revision": backup.revision,
        "sha256": backup.sha256,
        "size_bytes": backup.n_bytes,
    }


def upgrade_view(store: str, done: Upgraded, *, stored: bool) -> dict[str, Any]:
    """What an upgrade did."""
    return {
        "store": store,
        "before": done.before,
        "after": done.after,
        "backup": None if done.backup is None else str(done.backup.path),
        "stored": stored,
    }


def rules_view(current: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, Any]:
    """What a store demands now, and everything that was ever set, newest first."""
    return {
        "rules": [{"name": name, "value": value} for name, value in current.items()],
        "history": [
            {
                "name": rule.name,
                "value": rule.value,
                "recorded": deed_view(rule.recorded),
            }
            for rule in rules
        ],
    }
