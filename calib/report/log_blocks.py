"""The log and its verification as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Block, Sentences, Table, View, at_second

_SHOWN = 12


def log_table(views: Sequence[View]) -> Table:
    """Entries of the log, in order."""
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
                view["hash"][:_SHOWN],
                view["command"] or NONE,
                view["reason"] or NONE,
            )
            for view in views
        ),
        n_text=9,
    )


def audit_blocks(view: View) -> list[Block]:
    """What came of verifying a log."""
    compared = (
        f"{view['n_entries']} entries in {view['n_chains']} chains up to position "
        f"{view['last_position']}, {view['n_rows']} rows."
    )
    against = []
    if view["checkpoint"] is not None:
        against = [
            f"The checkpoint of {at_second(view['checkpoint']['made_at'])} at position "
            f"{view['checkpoint']['last_position']} was compared with it."
        ]
    title = "Verified" if view["verified"] else "Not as recorded"
    blocks: list[Block] = [Sentences(title, (compared, *against))]
    if not view["verified"]:
        rows = tuple((f["table"], f["row"], f["problem"]) for f in view["findings"])
        blocks.append(Table("Findings", ("table", "row", "problem"), rows, n_text=3))
    return blocks
