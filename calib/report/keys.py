"""The keys that sign checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib.model.store.signing import SigningKey
from calib.report.blocks import NONE, Block, Sentences, Table, View, at_second
from calib.report.scalar import instant

_SHOWN = 16
"""Digits of a public key in the table."""


def keys_view(path: Path, keys: Sequence[SigningKey], endorsed: bool | None) -> dict[str, Any]:
    """The keys in a file, the current one last, and whether a trusted key has endorsed it."""
    return {
        "file": str(path),
        "endorsed": endorsed,
        "keys": [
            {
                "public_key": key.fingerprint,
                "made_at": instant(key.made_at),
                "retired_at": instant(key.retired_at),
                "compromised_since": instant(key.compromised_since),
                "reason": key.reason or None,
                "endorsed_by_previous": key.endorsement is not None,
            }
            for key in keys
        ],
    }


def keys_blocks(view: View) -> list[Block]:
    """The keys, one per line, and the result of the check."""
    table = Table(
        "Keys",
        ("public key", "made", "retired", "compromised since", "endorsed", "reason"),
        tuple(
            (
                key["public_key"][:_SHOWN],
                at_second(key["made_at"]),
                at_second(key["retired_at"]),
                at_second(key["compromised_since"]),
                "yes" if key["endorsed_by_previous"] else "no",
                key["reason"] or NONE,
            )
            for key in view["keys"]
        ),
        n_text=6,
    )
    if view["endorsed"] is None:
        return [table]
    answer = (
        "Endorsements lead from the trusted key to the current one."
        if view["endorsed"]
        else "No endorsements lead from the trusted key to the current one: ask the person who "
        "signs the checkpoints, by another channel."
    )
    return [table, Sentences("", (answer,))]
