"""Reads by a user who may not write the store, while others write it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from calib.store.store import Store
from support import children, raw
from support.other_users import READER, RETRIED, log_of
from support.records import NOON, SERIAL, calibration, stamp

READS = """
import json, sys, time
from support.people import become_another_user
from calib.store.database import retry, sqlite_file
from calib.store.database.sqlite_file import StoreFile
from calib.store.store import Store
become_another_user()
# The writer may be kept waiting by the machine at any point for longer than these limits.
retry.LOST_SECONDS = sqlite_file._ABANDONED_SECONDS = 60.0
seen = {"counts": [], "alone": 0, "beside": 0}
opened = StoreFile._open
def counted(self, how, **rest):
    seen["alone" if how == "immutable=1" else "beside"] += 1
    return opened(self, how, **rest)
StoreFile._open = counted
end = None
# However slow the machine is, there are reads before and after a write.
while (
    end is None
    or time.monotonic() < end
    or seen["alone"] + seen["beside"] <= 10
    or seen["counts"][-1] == 1
):
    with Store.open(sys.argv[1], wait_seconds=60.0) as store:
        lines = store.calibrations.list()
        seen["counts"].append(len(lines))
        for line in lines[-2:]:
            store.calibrations.get(line.id)
    if end is None:
        end = time.monotonic() + float(sys.argv[2])
        print("ready", flush=True)
print(json.dumps(seen))
"""
CHANGED_UNDER = """
import json, sys
from support.people import become_another_user
from calib.store.database.retry import retry_read
from calib.store.database.database import Database
from calib.config.location import Location
become_another_user()
database = Database(Location.parse(sys.argv[1]))
counts = []
@retry_read
def question():
    with database.reading() as connection:
        counts.append(connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar())
        if len(counts) == 1:
            print("reading", flush=True)
            sys.stdin.readline()
question()
print(json.dumps({"turns": len(counts), "counts": counts}))
"""
BACKS_UP = """
import sys
from pathlib import Path
from support.people import become_another_user
from calib.store.api import maintenance
from calib.store.schema import revision as schema
from calib.store.store import Store
become_another_user()
whole, turns = schema.check_whole, []
def checked(*words):
    whole(*words)
    turns.append(words)
    if len(turns) == 1:
        print("copied", flush=True)
        sys.stdin.readline()
schema.check_whole = checked
made = maintenance.back_up(sys.argv[1], Path(sys.argv[2]))
print(len(turns))
"""
SECONDS = 60.0 if os.environ.get("CALIB_TEST_PROFILE") == "long" else 1.5
INDEX_HEADER = 96  # bytes: the change counter, the size and the checksums, twice


def test_a_reader_beside_a_writer_reads_the_write_ahead_log(shared: Path) -> None:
    shared.chmod(0o644)
    with Store.open(shared) as store:
        store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        assert log_of(shared).stat().st_size > 0
        answer = json.loads(children.run(READER, str(shared)))
    assert answer["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert answer["listed"] == [2, 2]


def test_a_reader_beside_a_busy_writer_never_sees_a_partial_write(shared: Path) -> None:
    shared.chmod(0o644)
    adds = 0
    with children.started(READS, shared, str(SECONDS)) as reader:
        children.heard(reader, "ready")
        while reader.poll() is None:
            with Store.open(shared) as store:  # closed each time, so that the log comes and goes
                for _ in range(adds % 3 + 1):
                    adds += 1
                    store.calibrations.add(calibration(seed=adds), (NOON, None), stamp())
        out, _ = reader.communicate()
    assert reader.returncode == 0
    answer = json.loads(out)
    assert answer["alone"] + answer["beside"] > 10
    assert answer["counts"] == sorted(answer["counts"])
    assert 1 < answer["counts"][-1] <= adds + 1


def test_a_read_during_which_the_store_changed_is_retried(shared: Path) -> None:
    shared.chmod(0o644)
    with children.started(CHANGED_UNDER, shared) as reader:
        children.heard(reader, "reading")
        with Store.open(shared) as store:
            store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        answer = children.answer_after_going_on(reader)
    assert answer == {"turns": 2, "counts": [1, 2]}


def test_a_read_that_races_with_a_write_to_the_index_of_the_log_is_retried(shared: Path) -> None:
    shared.chmod(0o644)
    index = shared.with_name(f"{shared.name}-shm")
    with Store.open(shared) as store:
        store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        with children.started(RETRIED, shared) as reader:
            children.heard(reader, "reading")
            whole = index.read_bytes()[:INDEX_HEADER]
            overwrite(index, whole[:8] + bytes(4) + whole[12:])  # the first of its two copies
            children.go_on(reader)
            children.heard(reader, "again")
            overwrite(index, whole)
            answer = children.answer_after_going_on(reader)
    assert answer == {"turns": 2, "count": 2}


def test_a_read_during_which_a_write_ahead_log_came_and_went_is_retried(shared: Path) -> None:
    shared.chmod(0o644)
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    with children.started(RETRIED, shared) as reader:
        children.heard(reader, "reading")
        with Store.open(shared) as store:  # which changes the journal with the first write
            store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        children.go_on(reader)
        children.heard(reader, "again")
        answer = children.answer_after_going_on(reader)
    assert answer == {"turns": 2, "count": 2}


def test_a_backup_during_which_the_store_changed_is_retried(
    shared: Path, shared_folder: Path
) -> None:
    shared.chmod(0o644)
    backup = shared_folder / "backup.sqlite"
    with children.started(BACKS_UP, shared, str(backup)) as reader:
        children.heard(reader, "copied")
        with Store.open(shared) as store:
            store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        answer = children.answer_after_going_on(reader)
    assert answer == 2
    with Store.open(backup, read_only=True) as store:
        assert len(store.calibrations.list()) == 2
    assert sorted(path.name for path in shared_folder.iterdir()) == [
        "backup.sqlite",
        "backup.sqlite.sha256",
    ]


def overwrite(path: Path, beginning: bytes) -> None:
    """Overwrite the first bytes of a file."""
    with path.open("r+b") as opened:
        opened.write(beginning)
