"""Stores as a whole, as people see them."""

from __future__ import annotations

from calib.report.blocks import Block, Facts, Sentences, View


def revision_facts(view: View) -> Facts:
    """The revision of a store, and that of this program."""
    found = view["revision"]
    return Facts(
        (
            ("Store", view["store"]),
            ("Revision", "none: there is no store here" if found is None else found),
            ("This program's", view["program"]),
        )
    )


def check_blocks(view: View) -> list[Block]:
    """What was looked at, and what to do about what is wrong."""
    facts = Facts(
        (
            ("Store", view["store"]),
            *((_capital(one["name"]), _said(one)) for one in view["checks"]),
        )
    )
    remedies = tuple(one["remedy"] for one in view["checks"] if one["remedy"])
    return [facts, *([Sentences("Try", remedies)] if remedies else [])]


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
