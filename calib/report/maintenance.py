"""The store as a whole: its revision, checks, settings, backups and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.model.store.backup import Backup, Check, Setting, StoreRevision, Upgraded
from calib.model.store.rule import Rule
from calib.report.blocks import NONE, Block, Facts, Sentences, Table, View, at_second
from calib.report.certifications import stamp_view


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
                "recorded": stamp_view(rule.recorded),
            }
            for rule in rules
        ],
    }


def revision_facts(view: View) -> Facts:
    """The revision of a store, that of this program, and whom the store admits."""
    found = view["revision"]
    return Facts(
        (
            ("Store", view["store"]),
            ("Revision", "none: there is no store here" if found is None else found),
            ("This program's", view["program"]),
            ("Oldest reader", view["oldest_reader"] or NONE),
            ("Oldest writer", view["oldest_writer"] or NONE),
        )
    )


def check_blocks(view: View) -> list[Block]:
    """What was looked at, and what to do about what is wrong."""
    return [Facts((("Store", view["store"]), *_checked(view))), *_remedies(view)]


def doctor_blocks(view: View) -> list[Block]:
    """Settings, what was looked at, and what to do about what is wrong."""
    settings = Table(
        "Settings",
        ("setting", "value", "from"),
        tuple((one["name"], one["value"] or NONE, one["from"]) for one in view["settings"]),
        n_text=3,
    )
    return [*([settings] if view["settings"] else []), Facts(_checked(view)), *_remedies(view)]


def _checked(view: View) -> tuple[tuple[str, str], ...]:
    return tuple((_capital(one["name"]), _result(one)) for one in view["checks"])


def _remedies(view: View) -> list[Block]:
    remedies = tuple(one["remedy"] for one in view["checks"] if one["remedy"])
    return [Sentences("Try", remedies)] if remedies else []


def rule_blocks(view: View) -> list[Block]:
    """What a store demands now, and since when it demanded what."""
    now = Facts(tuple((one["name"], one["value"]) for one in view["rules"]))
    if not view["history"]:
        return [now]
    rows = tuple(
        (
            at_second(one["recorded"]["at"]),
            one["name"],
            one["value"],
            one["recorded"]["by"],
            one["recorded"]["host"],
        )
        for one in view["history"]
    )
    return [now, Table("History", ("recorded", "rule", "value", "by", "host"), rows, n_text=5)]


def backup_facts(view: View) -> Facts:
    """A backup."""
    return Facts(
        (
            ("Store", view["store"]),
            ("Backup", view["backup"]),
            ("Revision", view["revision"]),
            ("Size", f"{view['size_bytes'] / 1e6:.1f} MB"),
            ("SHA-256", view["sha256"]),
        )
    )


def _result(check: View) -> str:
    return str(check["said"]) if check["fine"] else f"WRONG: {check['said']}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
