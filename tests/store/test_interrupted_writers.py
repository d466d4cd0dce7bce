"""Reads without write access after a writer was killed."""

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
left_behind = sqlite_file.StoreFile._abandoned_journal
waited = []
def looked(self):
    found = left_behind(self)
    if found is not None and not waited:
        waited.append(found)
        print("waiting", flush=True)
    return found
sqlite_file.StoreFile._abandoned_journal = looked
with Store.open(sys.argv[1], wait_seconds=60.0) as store:
    print(len(store.calibrations.list()))
"""


def test_a_reader_reads_what_a_killed_writer_had_committed(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    assert log_of(shared).stat().st_size > 0
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert answer["listed"] == [2, 2]
    assert log_of(shared).stat().st_size > 0  # the reader could not recover it, and need not
    with Store.open(shared) as store:
        assert len(store.calibrations.list()) == 2


def test_a_write_ahead_log_without_its_index_is_an_interrupted_write(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    shared.with_name(f"{shared.name}-shm").unlink()
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["error"][:3] == ["StoreReadOnlyError", "store-interrupted", 3]


def test_a_reader_waits_for_the_index_of_a_new_write_ahead_log(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    index = shared.with_name(f"{shared.name}-shm")
    hidden = index.rename(index.with_suffix(".later"))
    with children.started(OPENS, shared) as reader:
        children.heard(reader, "waiting")
        hidden.rename(index)
        out, _ = reader.communicate()
    assert out == "2\n"


def test_a_read_during_the_rollback_of_an_interrupted_write_is_retried(shared: Path) -> None:
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    with children.started(RETRIED, shared) as reader:
        children.heard(reader, "reading")
        interrupt(shared)
        children.go_on(reader)
        children.heard(reader, "again")
        raw.execute(str(shared), "SELECT count(*) FROM deed")
        answer = children.answer_after_going_on(reader)
    assert answer == {"turns": 2, "count": 1}


def test_the_error_after_an_interrupted_write_says_who_can_undo_it(shared: Path) -> None:
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    interrupt(shared)
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["error"][:3] == ["StoreReadOnlyError", "store-interrupted", 3]
    assert (
        "ask a user with write access to run any calib command on this store" in answer["error"][3]
    )
    shared.chmod(0o644)
    shared.parent.chmod(0o755)
    # The next command of the owner undoes the interrupted write.
    with Store.open(shared, journal=Journal.ROLLBACK) as store:
        assert len(store.calibrations.list()) == 1
        assert store.applications.record(application(store.calibrations.get("1")))
    shared.chmod(0o444)
    assert json.loads(children.run(READER, str(shared)))["listed"] == [1, 1]
