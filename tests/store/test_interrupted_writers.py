"""What a user who may only read the store sees after a writer was killed."""

from __future__ import annotations

import json
from pathlib import Path

from calib.store.database.journal import Journal
from calib.store.store import Store
from support import children, raw
from support.other_users import READER, RETRIED, interrupt, log_of
from support.records import SERIAL, application

KILLED = """
import os, signal, sys
from support.records import NOON, calibration, stamp
from calib.store.store import Store
child = os.fork()
if child == 0:
    store = Store.open(sys.argv[1])
    store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
"""
OPENS = """
import sys
from support.people import become_another_user
from calib.store.database import sqlite_file
from calib.store.store import Store
become_another_user()
sqlite_file._ABANDONED_SECONDS = 60.0  # the machine may be slow
left_behind = sqlite_file.StoreFile._left_behind
told = []
def looked(self):
    found = left_behind(self)
    if found is not None and not told:
        told.append(found)
        print("waiting", flush=True)
    return found
sqlite_file.StoreFile._left_behind = looked
with Store.open(sys.argv[1], wait_seconds=60.0) as store:
    print(len(store.calibrations.list()))
"""


def test_a_reader_after_a_killed_writer_reads_what_that_one_had_committed(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    assert log_of(shared).stat().st_size > 0
    said = json.loads(children.run(READER, str(shared)))
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["listed"] == [2, 2]
    assert log_of(shared).stat().st_size > 0  # he could not put it right, and need not
    with Store.open(shared) as store:
        assert len(store.calibrations.list()) == 2


def test_a_log_without_its_index_is_not_read_past(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    shared.with_name(f"{shared.name}-shm").unlink()
    said = json.loads(children.run(READER, str(shared)))
    assert said["error"][:3] == ["StoreReadOnlyError", "store-interrupted", 3]


def test_a_log_whose_index_is_not_there_yet_is_waited_for(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    index = shared.with_name(f"{shared.name}-shm")
    hidden = index.rename(index.with_suffix(".later"))
    with children.started(OPENS, shared) as reader:
        children.heard(reader, "waiting")
        hidden.rename(index)
        out, _ = reader.communicate()
    assert out == "2\n"


def test_a_read_that_meets_what_the_next_writer_undoes_is_made_again(shared: Path) -> None:
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    with children.started(RETRIED, shared) as reader:
        children.heard(reader, "reading")
        interrupt(shared)
        children.go_on(reader)
        children.heard(reader, "again")
        raw.execute(str(shared), "SELECT count(*) FROM deed")
        said = children.told_at_last(reader)
    assert said == {"turns": 2, "count": 1}


def test_a_reader_of_an_interrupted_write_is_told_whom_to_ask(shared: Path) -> None:
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    interrupt(shared)
    said = json.loads(children.run(READER, str(shared)))
    assert said["error"][:3] == ["StoreReadOnlyError", "store-interrupted", 3]
    assert "let such a user run any calib command on this store" in said["error"][3]
    shared.chmod(0o644)
    shared.parent.chmod(0o755)
    with Store.open(
        shared, journal=Journal.ROLLBACK
    ) as store:  # the owner's next command puts it right
        assert len(store.calibrations.list()) == 1
        assert store.applications.record(application(store.calibrations.get("1")))
    shared.chmod(0o444)
    assert json.loads(children.run(READER, str(shared)))["listed"] == [1, 1]
