"""The log and its verification as scripts see them."""

from __future__ import annotations

from typing import Any

from calib.model.store.log import STORE_CHAIN, Audit, Checkpoint, Entry
from calib.report.scalar import instant


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


def audit_view(audit: Audit, checkpoint: Checkpoint | None) -> dict[str, Any]:
    """What came of verifying a log."""
    return {
        "verified": not audit.findings,
        "findings": [
            {"table": found.table, "row": found.row, "problem": found.problem}
            for found in audit.findings
        ],
        "n_entries": audit.n_entries,
        "n_rows": audit.n_rows,
        "n_chains": audit.n_chains,
        "last_position": audit.last_position,
        "checkpoint": None if checkpoint is None else checkpoint_view(checkpoint),
    }


def checkpoint_view(checkpoint: Checkpoint) -> dict[str, Any]:
    """Where a log stood."""
    return {
        "made_at": instant(checkpoint.made_at),
        "last_position": checkpoint.last_position,
        "n_chains": len(checkpoint.heads),
    }
