"""Programs that another user runs on a store in a file, and the files beside it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

READER = """
import json, os, sys
from support.people import become_another_user
from support.records import NOON, application, stamp, detector
from calib.errors import CalibError
from calib.store.store import Store
become_another_user()
answer = {}
try:
    with Store.open(sys.argv[1]) as store:
        answer["read_only"] = store.read_only
        found = store.resolve("24-0107", NOON, 150.0)
        stored = store.calibrations.get(found.calibration.id)
        answer["resolved"] = [stored.name, found.certification.reason]
        corrections = store.calibrations.corrections("24-0107")
        answer["listed"] = len(store.calibrations.list()), len(corrections)
        store.applications.record(application(stored))
except CalibError as error:
    answer["error"] = [type(error).__name__, error.code, error.exit_code, str(error)]
print(json.dumps(answer))
"""
"""A user who may read the store resolves, lists, and tries to record an application."""
RETRIED = """
import json, sys
from support.people import become_another_user
from calib.store.database.retry import retry_read
from calib.store.database.database import Database
from calib.config.location import Location
become_another_user()
database = Database(Location.parse(sys.argv[1]))
turns = 0
@retry_read
def question():
    global turns
    turns += 1
    if turns == 2:
        print("again", flush=True)
        sys.stdin.readline()
    with database.reading() as connection:
        if turns == 1:
            print("reading", flush=True)
            sys.stdin.readline()
        return connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar()
count = question()
print(json.dumps({"turns": turns, "count": count}))
"""
"""One read that waits inside its first attempt, and before its second one."""
ASKS_TWICE = """
import json, sys
from support.people import become_another_user
from calib.errors import CalibError
from calib.store.database.database import Database
from calib.config.location import Location
become_another_user()
database, found = Database(Location.parse(sys.argv[1])), []
for _ in range(2):
    print("asking", flush=True)
    sys.stdin.readline()
    try:
        with database.reading() as connection:
            found.append(connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar())
    except CalibError as error:
        found.append(error.problem)
print(json.dumps(found))
"""
"""Two reads by one open database, each after a line on stdin."""
COMMAND = """
import sys
from support.people import become_another_user
from calib_cli.main import main
become_another_user()
main()
"""
"""Any calib command."""


def log_of(path: Path) -> Path:
    """The file's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def interrupt(path: Path) -> None:
    """Leave the store as a writer does who is killed with half a transaction on the disk."""
    folder = path.parent
    path.chmod(0o644)
    folder.chmod(0o755)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    for position in range(100, 200):
        row = (position, position, "x" * 4000, "killed")
        writer.execute("INSERT INTO deed VALUES (?, ?, ?, ?)", row)
    journal = folder / f"{path.name}-journal"
    assert journal.stat().st_size > 0
    kept = path.read_bytes(), journal.read_bytes()
    writer.execute("ROLLBACK")
    writer.close()
    path.write_bytes(kept[0])
    journal.write_bytes(kept[1])
    path.chmod(0o444)
    journal.chmod(0o444)
    folder.chmod(0o555 if os.getuid() else 0o755)
