"""Stores as a whole, as people see them."""

from __future__ import annotations

from calib.report.blocks import NONE, Block, Facts, Sentences, Table, View, at_second


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
    return tuple((_capital(one["name"]), _said(one)) for one in view["checks"])


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


def _said(check: View) -> str:
    return str(check["said"]) if check["fine"] else f"WRONG: {check['said']}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
