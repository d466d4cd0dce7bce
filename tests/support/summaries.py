"""Summaries of a simulated dataset, and files of them with other content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from calib.files.native.container import zip_bytes, zip_members
from calib.files.native.summary import MANIFEST, summary_bytes
from calib.model.detector.correction import Freedom
from calib.model.result.summary import Summary
from support.scenes import options, simulation, solution

FROZEN = Path(__file__).parents[1] / "frozen" / "files" / "summaries" / "small_near.calib.h5"
SEAL = 73
"""Bytes of the hash at the end of a summary in HDF5."""
HANGING, CRASHING = {921: 8}, {849: 9}
"""Bytes of the frozen summary that make HDF5 2.0 hang or crash, by their place."""
LIMIT_S = 10.0
"""Within which such a file is refused."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@cache
def summary(started: datetime | None = NOON) -> Summary:
    """A summary of ten panels."""
    layout, _, scan = simulation("PILATUS 1M", n_reflections=3000)
    made = solution([scan.dataset], layout, options(Freedom.IN_PLANE)).statements[0]
    return Summary(made, "24-0107", "ab" * 32, "0.1.0", started)


@cache
def written() -> bytes:
    """The bytes of its file."""
    return summary_bytes(summary())


def members_of(content: bytes) -> dict[str, bytes]:
    """The members of the file of a summary."""
    return {name: bytes(data) for name, data in zip_members(content).items()}


def resealed(
    members: dict[str, bytes], change: Callable[[dict[str, Any]], None] | None = None
) -> bytes:
    """A file with these members, whose manifest states their sizes and hashes as they are now.

    ``change`` may change the manifest in other respects.
    """
    manifest = json.loads(members[MANIFEST])
    for entry in manifest["members"]:
        data = members.get(entry["name"], b"")
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if change is not None:
        change(manifest)
    return zip_bytes({**members, MANIFEST: json.dumps(manifest).encode()})


def hostile(changes: dict[int, int]) -> bytes:
    """The frozen summary without its hash, with other bytes at some places."""
    content = bytearray(FROZEN.read_bytes()[:-SEAL])
    for place, value in changes.items():
        content[place] = value
    return bytes(content)
