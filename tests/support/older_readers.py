"""What programs of earlier revisions ask a store: taken down once from those programs themselves.

    git worktree add OLD COMMIT
    cd tests && python -m support.older_readers OLD

runs the program of that commit on stores which this one filled, one on SQLite and one on Postgres,
and adds the statements that it sent to ``older_readers.json``, with how many rows each gave. Only
what reads is taken; the names of content, which differ from machine to machine, are left open.
What the program needs besides is found by ``PYTHONPATH``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import raw
from support.filled import fill
from support.postgres import fresh_database, running_server

TAKEN = Path(__file__).with_name("older_readers.json")
_ASKING = """
import json, psycopg, sqlite3, sys
from datetime import UTC, datetime
executed, connect, execute = [], sqlite3.connect, psycopg.Cursor.execute
def traced(*words, **named):
    opened = connect(*words, **named)
    opened.set_trace_callback(executed.append)
    return opened
def followed(cursor, query, params=None, **named):
    executed.append(psycopg.ClientCursor(cursor.connection).mogrify(query, params))
    return execute(cursor, query, params, **named)
sqlite3.connect, psycopg.Cursor.execute = traced, followed
from calib.store.schema import revision as schema
from calib.store.store import Store
noon = datetime(2026, 3, 1, 13, tzinfo=UTC)
with Store.open(sys.argv[1], read_only=True) as store:
    store.resolve("24-0107", noon, 150.0, explain=True)
    store.resolve("24-0107", noon, 150.0, as_known_at=3)
    found = store.calibrations.get("1")
    store.calibrations.list()
    store.certifications.list("24-0107")
    store.log.entries()
    store.applications.list()
    store.placements.list("24-0107")
    store.rules.list()
    store.calibrations.provenance(found.id)
    store.summaries.read(found)
    store.calibrations.corrections("24-0107")
    store.detectors.list()
    store.log.heads()
    store.log.moment()
    store.certifications.consequences(3)
    store.certifications.preview_withdraw(found.id)
print(json.dumps([schema.HEAD, executed]))
"""


def names_of(place: str) -> dict[str, str]:
    """Ids of content in the statements, by their placeholders."""
    (calibration, covariance), *_ = raw.execute(
        place, "SELECT id, covariance_sha256 FROM calibration ORDER BY position"
    )
    return {"{calibration}": calibration, "{covariance}": covariance}


def taken_from(checkout: str, place: str) -> tuple[str, list[list[Any]]]:
    """The revision of a program, and what it asks with how many rows it gets."""
    folders = (checkout, f"{checkout}/cli", f"{checkout}/migrations")
    besides = filter(None, [os.environ.get("PYTHONPATH")])
    done = subprocess.run(
        [sys.executable, "-c", _ASKING, place],
        env={"PYTHONPATH": os.pathsep.join([*folders, *besides])},
        check=True,
        capture_output=True,
        text=True,
    )
    revision, executed = json.loads(done.stdout)
    names = names_of(place)
    found: dict[str, int] = {}
    for statement in map(str.strip, executed):
        if statement.upper().startswith("SELECT") and not _is_of_the_database(statement):
            plain = " ".join(statement.split())
            rows = len(raw.execute(place, plain))
            for mark, name in names.items():
                plain = plain.replace(name, mark)
            found[plain] = rows
    return revision, [[statement, rows] for statement, rows in found.items()]


def _is_of_the_database(statement: str) -> bool:
    """Whether a statement asks the database about itself."""
    return any(word in statement for word in ("sqlite_", "pg_", "current_schema"))


@contextmanager
def _filled() -> Iterator[dict[str, str]]:
    """A new store with one of everything on each database."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server() as server,
        fresh_database(server) as name,
    ):
        places = {"sqlite": f"{folder}/calib.sqlite", "postgres": server.url(name)}
        for place in places.values():
            fill(place)
        yield places


if __name__ == "__main__":
    known = json.loads(TAKEN.read_text()) if TAKEN.exists() else {}
    for checkout in sys.argv[1:]:
        with _filled() as places:
            for database, place in places.items():
                revision, found = taken_from(checkout, place)
                known.setdefault(revision, {})[database] = found
    TAKEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
