"""The log and its verification."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from calib.model.store.log import STORE_CHAIN, Audit, Checkpoint, ClockCorrection, Entry, LogHead
from calib.model.store.signing import Anchored, SignedHead
from calib.report.blocks import NONE, Block, Facts, Sentences, Table, View, at_second
from calib.report.scalar import instant

_HASH_DIGITS = 12
_KEY_DIGITS = 16


def entry_view(entry: Entry) -> dict[str, Any]:
    """One entry of the log."""
    return {
        "position": entry.position,
        "at": instant(entry.recorded.at),
        "by": entry.recorded.actor,
        "host": entry.recorded.host,
        "kind": entry.kind,
        "command": entry.recorded.command or None,
        "reason": entry.recorded.reason or None,
        "serial": None if entry.chain == STORE_CHAIN else entry.chain,
        "ordinal": entry.ordinal,
        "contents": [{"table": table, "hash": name} for table, name in entry.contents.items()],
        "previous": entry.previous,
        "hash": entry.hash,
    }


def audit_view(
    audit: Audit,
    checkpoint: Checkpoint | None,
    *,
    n_checkpoints: int | None = None,
    compromised: Sequence[Path] = (),
    signed: bool | None = None,
    compared: LogHead | None = None,
    timestamps: Sequence[datetime] = (),
) -> dict[str, Any]:
    """The result of verifying a log: with the newest checkpoint that was compared. For a folder of
    checkpoints, how many were, and the files of those that were not, since their key is
    compromised; for a receipt, whether its signature was verified; ``compared`` is the head of a
    report."""
    known = None if checkpoint is None else checkpoint_view(checkpoint)
    if known is not None and signed is not None:
        known["signed"] = signed
    view: dict[str, Any] = {
        "verified": not audit.findings,
        "findings": [
            {"table": found.table, "row": found.row, "problem": found.problem}
            for found in audit.findings
        ],
        "n_entries": audit.n_entries,
        "n_rows": audit.n_rows,
        "n_chains": audit.n_chains,
        "last_position": audit.last_position,
        "checkpoint": known,
        "compared_head": None
        if compared is None
        else {"position": compared.position, "hash": compared.hash, "signed": bool(signed)},
    }
    if n_checkpoints is not None:
        view["n_checkpoints"] = n_checkpoints
        view["compromised_checkpoints"] = [str(path) for path in compromised]
        view["timestamps"] = [instant(at) for at in timestamps]
    return view


def checkpoint_view(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint: when it was made and the last position it covers."""
    return {
        "made_at": instant(checkpoint.made_at),
        "last_position": checkpoint.last_position,
        "n_chains": len(checkpoint.heads),
    }


def anchor_view(checkpoint: Checkpoint, places: Sequence[Anchored]) -> dict[str, Any]:
    """A checkpoint, and the places to which it was appended."""
    return {
        **checkpoint_view(checkpoint),
        "anchors": [
            {
                "path": str(one.path),
                "commit": one.commit,
                "pushed_to": one.pushed_to,
                "position": one.position,
            }
            for one in places
        ],
    }


def head_view(signed: SignedHead) -> dict[str, Any]:
    """The head of the log, with a signature if the user has a key."""
    return {
        "position": signed.head.position,
        "hash": signed.head.hash,
        "public_key": signed.public_key,
        "signature": signed.signature,
    }


def head_facts(view: View) -> Facts:
    """The head of the log as calib audit verify --head takes it, and its signature."""
    rows = [("Log head", f"{view['position']}:{view['hash']}")]
    if view["signature"] is not None:
        rows.append(("Signed by", f"key {view['public_key'][:_KEY_DIGITS]}"))
        rows.append(("Signature", view["signature"]))
    return Facts(tuple(rows))


def head_sentence(view: View) -> str:
    """The same in one line."""
    head = f"Log head {view['position']}:{view['hash']}"
    if view["signature"] is None:
        return head
    return f"{head}, signed by key {view['public_key'][:_KEY_DIGITS]}: {view['signature']}"


def log_table(views: Sequence[View]) -> Table:
    """Entries of the log, one per line, in order of position."""
    return Table(
        "Log",
        ("position", "recorded", "by", "host", "chain", "kind", "hash", "command", "reason"),
        tuple(
            (
                str(view["position"]),
                at_second(view["at"]),
                view["by"],
                view["host"],
                f"{view['serial'] or 'store'} {view['ordinal']}",
                view["kind"],
                view["hash"][:_HASH_DIGITS],
                view["command"] or NONE,
                view["reason"] or NONE,
            )
            for view in views
        ),
        n_text=9,
    )


def clock_view(correction: ClockCorrection, reason: str) -> dict[str, Any]:
    """A correction of the clock: the entries with wrong times, and the entry that states it."""
    return {
        "first_position": correction.first,
        "last_position": correction.last,
        "latest_time": instant(correction.latest),
        "at": instant(correction.at),
        "reason": reason,
        "position": correction.position,
    }


def clock_blocks(view: View) -> list[Block]:
    """A correction of the clock in words."""
    first, last = view["first_position"], view["last_position"]
    latest = at_second(view["latest_time"])
    wrong = f"Entry {last} has a wrong time, {latest}; its position is right."
    if first < last:
        wrong = f"Entries {first} to {last} have wrong times, up to {latest}; their order is right."
    recorded = (
        "Dry run: nothing was recorded."
        if view["position"] is None
        else f"Recorded as entry {view['position']}."
    )
    return [
        Sentences(
            "Clock of the log corrected" if view["position"] else "Clock of the log",
            (
                wrong,
                f"The log goes on at {at_second(view['at'])}. {recorded}",
            ),
        )
    ]


def audit_blocks(view: View) -> list[Block]:
    """The result of verifying a log."""
    compared = (
        f"{view['n_entries']} entries in {view['n_chains']} chains up to position "
        f"{view['last_position']}, {view['n_rows']} rows."
    )
    against = []
    if view["checkpoint"] is not None:
        known = view["checkpoint"]
        words = "checkpoint" if known.get("signed", True) else "heads (signature not verified)"
        against = [
            f"Compared with the {words} of {at_second(known['made_at'])} at position "
            f"{known['last_position']}."
        ]
        if view.get("n_checkpoints", 1) > 1:
            against.append(f"Compared with {view['n_checkpoints']} checkpoints in all.")
    if view.get("timestamps"):
        stamps = view["timestamps"]
        against.append(
            f"Verified time stamps of {len(stamps)} checkpoints, the last of "
            f"{at_second(max(stamps))}."
        )
    if view.get("compromised_checkpoints"):
        against.append(
            f"Not compared: {len(view['compromised_checkpoints'])} checkpoints signed with a "
            "compromised key."
        )
    if view["compared_head"] is not None:
        head = view["compared_head"]
        words = "signed head" if head["signed"] else "head (signature not verified)"
        against.append(f"Compared with the {words} of a report at position {head['position']}.")
    title = "Verified" if view["verified"] else "Verification failed"
    blocks: list[Block] = [Sentences(title, (compared, *against))]
    if not view["verified"]:
        rows = tuple((f["table"], f["row"], f["problem"]) for f in view["findings"])
        blocks.append(Table("Findings", ("table", "row", "problem"), rows, n_text=3))
    return blocks
