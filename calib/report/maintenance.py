"""The store as a whole: its revision, checks, settings, backups and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.model.store.backup import Backup, Check, Setting, StoreRevision, Upgraded
from calib.model.store.rule import Rule
from calib.report.blocks import NONE, Block, Facts, Sentences, Table, View, at_second
from calib.report.certifications import stamp_view


def revision_view(store: str, found: StoreRevision, known: str) -> dict[str, Any]:
    """Schema revisions of a store and of this program, and the oldest ones that may use it."""
    return {
        "store": store,
        "revision": found.revision,
        "program": known,
        "current": found.revision == known,
        "oldest_reader": found.oldest_reader,
        "oldest_writer": found.oldest_writer,
    }


def check_view(check: Check) -> dict[str, Any]:
    """The result of one check."""
    return {
        "name": check.name,
        "fine": check.fine,
        "said": check.finding,
        "remedy": check.remedy.removesuffix(".") or None,
    }


def checks_view(store: str, checks: Sequence[Check]) -> dict[str, Any]:
    """The results of all checks of a store."""
    return {
        "store": store,
        "fine": all(check.fine for check in checks),
        "checks": [check_view(check) for check in checks],
    }


def doctor_view(settings: Sequence[Setting], checks: Sequence[Check]) -> dict[str, Any]:
    """Settings with their origins, and the results of all checks of the installation."""
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
    """Schema revisions before and after an upgrade, and the backup made first."""
    return {
        "store": store,
        "before": done.before,
        "after": done.after,
        "backup": None if done.backup is None else str(done.backup.path),
        "stored": stored,
    }


def rules_view(current: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, Any]:
    """The rules of a store now, and all values they had, newest first."""
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
    """Schema revisions of a store and of this program, and the oldest ones that may use it."""
    found = view["revision"]
    return Facts(
        (
            ("Store", view["store"]),
            ("Revision", "none: there is no store at this location" if found is None else found),
            ("Program revision", view["program"]),
            ("Oldest reader", view["oldest_reader"] or NONE),
            ("Oldest writer", view["oldest_writer"] or NONE),
        )
    )


def check_blocks(view: View) -> list[Block]:
    """Results of the checks, with a remedy for each failure."""
    return [Facts((("Store", view["store"]), *_checked(view))), *_remedies(view)]


def doctor_blocks(view: View) -> list[Block]:
    """Settings and results of the checks, with a remedy for each failure."""
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
    """The rules of a store now, and when each value was set."""
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
    """A backup: its file, revision, size and checksum."""
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
    return str(check["said"]) if check["fine"] else f"FAILED: {check['said']}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
