"""A user who may read the store and not write it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.files.bundle_file import bundle_writer
from calib.store.journal import Journal
from calib.store.store import Store
from support import children, raw
from support.records import (
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    deed,
    detector,
)

READER = """
import json, os, sys
from support.people import become_another_user
from support.records import NOON, application, deed, detector
from calib.errors import CalibError
from calib.store.store import Store
become_another_user()
said = {}
try:
    with Store.open(sys.argv[1]) as store:
        said["read_only"] = store.read_only
        found = store.resolve("24-0107", NOON, 150.0)
        stored = store.calibration(found.calibration.id)
        said["resolved"] = [stored.name, found.certification.reason]
        said["listed"] = len(store.calibrations()), len(store.known_corrections("24-0107"))
        store.record_application(application(stored))
except CalibError as error:
    said["error"] = [type(error).__name__, error.code, error.exit_code, str(error)]
print(json.dumps(said))
"""

KILLED = """
import os, signal, sys
from support.records import NOON, calibration, deed
from calib.store.store import Store
child = os.fork()
if child == 0:
    store = Store.open(sys.argv[1])
    store.add_calibration(calibration(seed=7), (NOON, None), deed())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
"""
OPENS = """
import sys
from support.people import become_another_user
from calib.store import sqlite_file
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
    print(len(store.calibrations()))
"""
READS = """
import json, sys, time
from support.people import become_another_user
from calib.store.sqlite_file import StoreFile
from calib.store.store import Store
become_another_user()
said = {"counts": [], "alone": 0, "beside": 0}
opened = StoreFile._open
def counted(self, how, **rest):
    said["alone" if how == "immutable=1" else "beside"] += 1
    return opened(self, how, **rest)
StoreFile._open = counted
end = None
# However slow the machine is, something is read before and after something is written.
while (
    end is None
    or time.monotonic() < end
    or said["alone"] + said["beside"] <= 10
    or said["counts"][-1] == 1
):
    with Store.open(sys.argv[1]) as store:
        lines = store.calibrations()
        said["counts"].append(len(lines))
        for line in lines[-2:]:
            store.calibration(line.id)
    if end is None:
        end = time.monotonic() + float(sys.argv[2])
        print("ready", flush=True)
print(json.dumps(said))
"""
CHANGED_UNDER = """
import json, sys
from support.people import become_another_user
from calib.store.again import asked_again
from calib.store.database import Database
from calib.store.location import Location
become_another_user()
database = Database(Location.parse(sys.argv[1]))
counts = []
@asked_again
def question():
    with database.reading() as connection:
        counts.append(connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar())
        if len(counts) == 1:
            print("reading", flush=True)
            sys.stdin.readline()
question()
print(json.dumps({"turns": len(counts), "counts": counts}))
"""
ASKED_AGAIN = """
import json, sys
from support.people import become_another_user
from calib.store.again import asked_again
from calib.store.database import Database
from calib.store.location import Location
become_another_user()
database = Database(Location.parse(sys.argv[1]))
turns = 0
@asked_again
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
BACKS_UP = """
import sys
from pathlib import Path
from support.people import become_another_user
from calib.store import schema
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
made = Store.back_up(sys.argv[1], Path(sys.argv[2]))
print(len(turns))
"""
ASKS_TWICE = """
import json, sys
from support.people import become_another_user
from calib.errors import CalibError
from calib.store.database import Database
from calib.store.location import Location
become_another_user()
database, said = Database(Location.parse(sys.argv[1])), []
for _ in range(2):
    print("asking", flush=True)
    sys.stdin.readline()
    try:
        with database.reading() as connection:
            said.append(connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar())
    except CalibError as error:
        said.append(error.problem)
print(json.dumps(said))
"""
COMMAND = """
import sys
from support.people import become_another_user
from calib_cli.main import main
become_another_user()
main()
"""
SECONDS = 60.0 if os.environ.get("CALIB_TEST_PROFILE") == "long" else 1.5


INDEX_HEADER = 96  # bytes: the change counter, the size and the checksums, twice


@pytest.fixture
def shared() -> Iterator[Path]:
    """A store in a folder that everybody may read and nobody else may write."""
    # Not tmp_path: other users may not enter the folders above it.
    folder = Path(tempfile.mkdtemp(prefix="calib-shared-"))
    path = folder / "calib.sqlite"
    Store.create(path)
    with Store.open(path) as store:
        stored, _ = store.add_calibration(calibration(), (NOON, None), deed(), detector())
        store.certify(certification(stored))
    path.chmod(0o444)
    folder.chmod(0o555 if os.getuid() else 0o755)
    yield path
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_reader_resolves_and_is_told_how_to_record(shared: Path) -> None:
    said = json.loads(children.run(READER, str(shared)))
    assert said["read_only"] is True
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["listed"] == [1, 1]
    kind, code, status, text = said["error"]
    assert (kind, code, status) == ("StoreReadOnlyError", "store-read-only", 3)
    assert text == (
        f"{shared}: this user may read the store, but not write it. Try: ask somebody who may "
        "write it; `calib apply` writes a receipt, which `calib usage push` delivers later."
    )
    assert [entry.name for entry in shared.parent.iterdir()] == [shared.name]


def test_a_reader_sees_what_loading_a_bundle_would_do(shared: Path, shared_folder: Path) -> None:
    home, path = shared_folder / "home.sqlite", shared_folder / "some.calib-bundle"
    Store.create(home)
    with Store.open(home) as store, path.open("wb") as file:
        store.add_calibration(calibration(seed=7), (NOON, None), deed(), detector())
        bundle_writer(store.bundle(SERIAL))(file)
    words = ("bundle", "load", str(path), "--dry-run", "--json", "--store", str(shared))
    would = json.loads(children.run(COMMAND, *words))
    assert would["calibrations"] == [
        {"calibration": f"{SERIAL}:2", "origin_version": 1, "new": True}
    ]
    assert would["stored"] is False


def test_a_file_that_may_be_written_in_a_folder_that_may_not_is_read(shared: Path) -> None:
    shared.chmod(0o666)
    said = json.loads(children.run(READER, str(shared)))
    assert said["read_only"] is True
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["error"][1] == "store-read-only"


def test_a_link_is_read_like_the_file_that_it_leads_to(shared: Path, shared_folder: Path) -> None:
    shared.chmod(0o666)  # the folder of the link may be written, that of the file may not
    link = shared_folder / "calib.sqlite"
    link.symlink_to(shared)
    said = json.loads(children.run(READER, str(link)))
    assert said["read_only"] is True
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]


def test_a_store_that_may_not_be_read_says_so(shared: Path) -> None:
    shared.chmod(0o000)
    said = json.loads(children.run(READER, str(shared)))
    assert said["error"][:3] == ["StoreError", "store-unreadable", 3]
    assert "the store cannot be read: Permission denied" in said["error"][3]


def test_a_reader_beside_a_writer_reads_through_the_log(shared: Path) -> None:
    shared.chmod(0o644)
    with Store.open(shared) as store:
        store.add_calibration(calibration(seed=7), (NOON, None), deed())
        assert log_of(shared).stat().st_size > 0
        said = json.loads(children.run(READER, str(shared)))
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["listed"] == [2, 2]


def test_a_reader_after_a_killed_writer_reads_what_that_one_had_committed(shared: Path) -> None:
    shared.chmod(0o644)
    children.run(KILLED, str(shared))
    assert log_of(shared).stat().st_size > 0
    said = json.loads(children.run(READER, str(shared)))
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["listed"] == [2, 2]
    assert log_of(shared).stat().st_size > 0  # he could not put it right, and need not
    with Store.open(shared) as store:
        assert len(store.calibrations()) == 2


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
    reader = subprocess.Popen(
        [sys.executable, "-c", OPENS, str(shared)],
        env=children.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "waiting\n"
    hidden.rename(index)
    out, _ = reader.communicate()
    assert out == "2\n"


def test_a_reader_never_sees_half_of_what_writers_write_all_the_time(shared: Path) -> None:
    shared.chmod(0o644)
    reader = subprocess.Popen(
        [sys.executable, "-c", READS, str(shared), str(SECONDS)],
        env=children.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    adds = 0
    while reader.poll() is None:
        with Store.open(shared) as store:  # closed each time: the log comes and goes
            for _ in range(adds % 3 + 1):
                adds += 1
                store.add_calibration(calibration(seed=adds), (NOON, None), deed())
    out, _ = reader.communicate()
    assert reader.returncode == 0
    said = json.loads(out)
    assert said["alone"] + said["beside"] > 10
    assert said["counts"] == sorted(said["counts"])
    assert 1 < said["counts"][-1] <= adds + 1


def test_a_read_during_which_the_store_changed_is_made_again(shared: Path) -> None:
    shared.chmod(0o644)
    reader = subprocess.Popen(
        [sys.executable, "-c", CHANGED_UNDER, str(shared)],
        env=children.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"
    with Store.open(shared) as store:
        store.add_calibration(calibration(seed=7), (NOON, None), deed())
    said, _ = reader.communicate("go on\n", timeout=60)
    assert json.loads(said) == {"turns": 2, "counts": [1, 2]}


def started(program: str, path: Path, *words: str) -> subprocess.Popen[str]:
    """A program that works on a store, to be talked with line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path), *words],
        env=children.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def heard(reader: subprocess.Popen[str], line: str) -> None:
    """Wait until a program says this."""
    assert reader.stdout is not None
    assert reader.stdout.readline() == f"{line}\n"


def go_on(reader: subprocess.Popen[str]) -> None:
    """Let a program go on that waits for it."""
    assert reader.stdin is not None
    reader.stdin.write("go on\n")
    reader.stdin.flush()


def told_at_last(reader: subprocess.Popen[str]) -> object:
    """What a program says in JSON when it has gone on to its end."""
    said, _ = reader.communicate("go on\n", timeout=120)
    return json.loads(said)


def test_a_read_that_meets_a_half_written_index_of_the_log_is_made_again(shared: Path) -> None:
    shared.chmod(0o644)
    index = shared.with_name(f"{shared.name}-shm")
    with Store.open(shared) as store:
        store.add_calibration(calibration(seed=7), (NOON, None), deed())
        with started(ASKED_AGAIN, shared) as reader:
            heard(reader, "reading")
            whole = index.read_bytes()[:INDEX_HEADER]
            overwrite(index, whole[:8] + bytes(4) + whole[12:])  # the first of its two copies
            go_on(reader)
            heard(reader, "again")
            overwrite(index, whole)
            said = told_at_last(reader)
    assert said == {"turns": 2, "count": 2}


def test_a_read_under_which_a_log_was_begun_and_ended_is_made_again(shared: Path) -> None:
    shared.chmod(0o644)
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    with started(ASKED_AGAIN, shared) as reader:
        heard(reader, "reading")
        with Store.open(shared) as store:  # which changes the journal with the first write
            store.add_calibration(calibration(seed=7), (NOON, None), deed())
        go_on(reader)
        heard(reader, "again")
        said = told_at_last(reader)
    assert said == {"turns": 2, "count": 2}


def test_a_read_that_meets_what_the_next_writer_undoes_is_made_again(shared: Path) -> None:
    raw.execute(str(shared), "PRAGMA journal_mode = DELETE")
    with started(ASKED_AGAIN, shared) as reader:
        heard(reader, "reading")
        interrupt(shared)
        go_on(reader)
        heard(reader, "again")
        raw.execute(str(shared), "SELECT count(*) FROM deed")
        said = told_at_last(reader)
    assert said == {"turns": 2, "count": 1}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_who_may_write_sees_what_others_write_whatever_they_leave_beside_the_store(
    shared: Path,
) -> None:
    shared.chmod(0o666)
    shared.parent.chmod(0o777)
    with started(ASKS_TWICE, shared) as reader:
        heard(reader, "asking")
        index = shared.with_name(f"{shared.name}-shm")
        index.touch()
        index.chmod(0o644)  # which he may not write
        go_on(reader)
        heard(reader, "asking")
        with Store.open(shared) as store:
            store.add_calibration(calibration(seed=7), (NOON, None), deed())
        said = told_at_last(reader)
    assert said == [1, 2]


def test_a_backup_under_which_the_store_changed_is_made_again(
    shared: Path, shared_folder: Path
) -> None:
    shared.chmod(0o644)
    backup = shared_folder / "backup.sqlite"
    with started(BACKS_UP, shared, str(backup)) as reader:
        heard(reader, "copied")
        with Store.open(shared) as store:
            store.add_calibration(calibration(seed=7), (NOON, None), deed())
        said = told_at_last(reader)
    assert said == 2
    with Store.open(backup, read_only=True) as store:
        assert len(store.calibrations()) == 2
    assert sorted(path.name for path in shared_folder.iterdir()) == [
        "backup.sqlite",
        "backup.sqlite.sha256",
    ]


def test_a_store_that_was_moved_away_meanwhile_is_said_to_be_unreadable(shared: Path) -> None:
    with started(ASKS_TWICE, shared) as reader:
        heard(reader, "asking")
        go_on(reader)
        heard(reader, "asking")
        shared.rename(shared.with_name("elsewhere.sqlite"))
        said = told_at_last(reader)
    assert said == [1, "the store cannot be read: No such file or directory."]


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
        assert len(store.calibrations()) == 1
        assert store.record_application(application(store.calibration("1")))
    shared.chmod(0o444)
    assert json.loads(children.run(READER, str(shared)))["listed"] == [1, 1]


def log_of(path: Path) -> Path:
    """The file's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def overwrite(path: Path, beginning: bytes) -> None:
    """Write a file's first bytes and leave the rest."""
    with path.open("r+b") as opened:
        opened.write(beginning)


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
