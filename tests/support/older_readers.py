"""What programs of earlier revisions ask a store: taken down once from those programs themselves.

    git worktree add OLD COMMIT
    cd tests && python -m support.older_readers OLD

runs the program of that commit on a store which this one filled, and adds the statements that it
sent to SQLite to ``older_readers.json``, with how many rows each gave. Only what reads is taken;
the names of content, which differ from machine to machine, are left open.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support.filled import fill

TAKEN = Path(__file__).with_name("older_readers.json")
_ASKING = """
import json, sqlite3, sys
from datetime import UTC, datetime
said, connect = [], sqlite3.connect
def traced(*words, **named):
    opened = connect(*words, **named)
    opened.set_trace_callback(said.append)
    return opened
sqlite3.connect = traced
from calib.store import schema
from calib.store.store import Store
noon = datetime(2026, 3, 1, 13, tzinfo=UTC)
with Store.open(sys.argv[1], read_only=True) as store:
    store.resolve("24-0107", noon, 150.0, explain=True)
    store.resolve("24-0107", noon, 150.0, as_known_at=3)
    found = store.calibration("1")
    for ask, words in (
        ("calibrations", ()), ("certifications", ("24-0107",)), ("log", ()), ("applications", ()),
        ("placements", ("24-0107",)), ("rules", ()), ("provenance", (found.id,)),
        ("summaries", (found,)), ("known_corrections", ("24-0107",)), ("detectors", ()),
        ("heads", ()), ("moment", ()), ("consequences", (3,)), ("would_withdraw", (found.id,)),
    ):
        if hasattr(store, ask):
            getattr(store, ask)(*words)
print(json.dumps([schema.HEAD, said]))
"""


def names_of(place: str) -> dict[str, str]:
    """The names of content that stand in the statements, by what stands for them there."""
    with sqlite3.connect(place) as opened:
        (calibration, covariance), *_ = opened.execute(
            "SELECT id, covariance_sha256 FROM calibration ORDER BY position"
        )
    return {"{calibration}": calibration, "{covariance}": covariance}


def taken_from(checkout: str, place: str) -> tuple[str, list[list[Any]]]:
    """The revision of a program, and what it asks with how many rows it gets."""
    told = subprocess.run(
        [sys.executable, "-c", _ASKING, place],
        env={"PYTHONPATH": f"{checkout}:{checkout}/cli:{checkout}/migrations"},
        check=True,
        capture_output=True,
        text=True,
    )
    revision, said = json.loads(told.stdout)
    names = names_of(place)
    found: dict[str, int] = {}
    with sqlite3.connect(place) as opened:
        for statement in map(str.strip, said):
            if statement.upper().startswith("SELECT") and "sqlite_" not in statement:
                plain = " ".join(statement.split())
                rows = len(opened.execute(plain).fetchall())
                for mark, name in names.items():
                    plain = plain.replace(name, mark)
                found[plain] = rows
    return revision, [[statement, rows] for statement, rows in found.items()]


if __name__ == "__main__":
    known = json.loads(TAKEN.read_text()) if TAKEN.exists() else {}
    for checkout in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            place = f"{folder}/calib.sqlite"
            fill(place)
            revision, found = taken_from(checkout, place)
            known[revision] = found
    TAKEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
