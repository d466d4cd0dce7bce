"""Full disks, killed and many writers: a calibration is stored completely or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from calib.errors import StoreError
from calib.store.store import Store
from support import children, raw
from support.children import may_mount
from support.records import SERIAL, calibration, detector, stamp

PANELS = 60
LONG = os.environ.get("CALIB_TEST_PROFILE") == "long"
KILLS = 100 if LONG else 12
WRITERS, WRITES = (8, 200) if LONG else (8, 4)


def check_whole(place: str) -> int:
    """Read and verify every calibration and the log; returns the number of calibrations."""
    with Store.open(place) as store:
        assert store.log.audit().findings == ()
        lines = store.calibrations.list()
        assert [line.version for line in lines] == list(range(1, len(lines) + 1))
        for line in lines:
            assert store.calibrations.get(line.id).version == line.version
    if not raw.is_postgres(place):
        assert raw.execute(place, "PRAGMA integrity_check") == [("ok",)]
        assert raw.execute(place, "PRAGMA foreign_key_check") == []
    return len(lines)


WRITER = """
import json, os, random, signal, sys, time
from support.records import calibration, stamp
from calib.store.store import Store
place, kills, panels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
Store.open(place).close()  # imports everything before the first fork
random.seed(20260301)
counts = []
for turn in range(kills):
    records = [calibration(seed=5 * turn + add, n_panels=panels) for add in range(5)]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with Store.open(place) as store:
            os.write(writing, b"ready")
            for record in records:
                store.calibrations.add(record, (None, None), stamp())
                os.write(writing, b".")
        os._exit(0)
    os.close(writing)
    os.read(reading, 5)
    # Every other time only after the first write, however slow the machine is.
    first = os.read(reading, 1) if turn % 2 else b""
    time.sleep(random.uniform(0.0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    acknowledged = len(first)
    while got := os.read(reading, 4096):
        acknowledged += len(got)
    os.close(reading)
    counts.append(acknowledged)
    with Store.open(place) as store:
        assert store.detectors.list()
print(json.dumps(counts))
"""


def test_a_killed_writer_leaves_a_whole_calibration_or_none(place: str) -> None:
    with Store.open(place) as store:
        store.detectors.add(detector(n_panels=PANELS), stamp())
    acknowledged = json.loads(children.run(WRITER, place, str(KILLS), str(PANELS), timeout=3000.0))
    assert len(acknowledged) == KILLS
    held = check_whole(place)
    # All acknowledged writes are there, and at most the one that each kill interrupted.
    assert sum(acknowledged) <= held <= sum(acknowledged) + KILLS
    assert sum(acknowledged) > 0


MANY_WRITERS = """
import os, sys
from support.records import SERIAL, NOON, application, calibration, certification, stamp
from calib.store.store import Store
place, writers, writes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Store.open(place) as store:
    shared, _ = store.calibrations.add(calibration(), (None, None), stamp())
    store.certifications.certify(certification(shared))

def write(writer):
    with Store.open(place, wait_seconds=300.0) as store:
        for turn in range(0, writes, 2):
            own = calibration(seed=10_000 * (writer + 1) + turn)
            store.calibrations.add(own, (None, None), stamp(actor=str(writer)))
            done = application(shared, f"{writer}-{turn}.expt")
            assert store.applications.record(done)
            assert not store.applications.record(done)  # recorded once only
            store.calibrations.add(calibration(seed=1 + turn), (None, None), stamp())

def forked(work, *arguments):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work(*arguments)
        status = 0
    finally:
        os._exit(status)

opened, open_now = os.pipe()
ended, end = os.pipe()
os.set_blocking(ended, False)

def read_until_the_end():
    reads = 0
    with Store.open(place, read_only=True, wait_seconds=0.001) as store:
        while True:
            assert store.resolve(SERIAL, NOON, 150.0).calibration.id == shared.id
            reads += 1
            if reads == 1:
                os.write(open_now, b".")
            try:
                # Only after a read beside the writers, however late it is scheduled.
                if reads > 1 and os.read(ended, 1):
                    break
            except BlockingIOError:
                pass

reader = forked(read_until_the_end)
os.close(open_now)
os.read(opened, 1)  # opening a file at the same moment may have to wait
children = [forked(write, writer) for writer in range(writers)]
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
os.write(end, b".")
codes.append(os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]))
assert codes == [0] * (writers + 1), codes
"""


def test_many_writers_lose_nothing_and_leave_no_gap_and_block_no_reader(place: str) -> None:
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    children.run(MANY_WRITERS, place, str(WRITERS), str(WRITES), timeout=3000.0)
    turns = WRITES // 2
    assert check_whole(place) == 1 + WRITERS * turns + turns
    with Store.open(place) as store:
        names = [name for one in store.applications.list() for name in one.output_names]
    wanted = [f"{writer}-{turn}.expt" for writer in range(WRITERS) for turn in range(0, WRITES, 2)]
    assert sorted(names) == sorted(wanted)
    positions = [row[0] for row in raw.execute(place, "SELECT position FROM deed ORDER BY 1")]
    assert positions == list(range(1, len(positions) + 1))
    times = [row[0] for row in raw.execute(place, "SELECT recorded_at FROM deed ORDER BY position")]
    assert times == sorted(set(times))


def fill(store: Store) -> StoreError:
    """Add calibrations until the disk is full."""
    with pytest.raises(StoreError) as caught:
        for seed in range(1000):
            store.calibrations.add(calibration(seed=seed, n_panels=PANELS), (None, None), stamp())
    return caught.value


def test_a_full_database_is_reported_and_keeps_its_content(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place)
    with Store.open(place) as store:
        store.detectors.add(detector(n_panels=PANELS), stamp())

    with Store.open(place) as store:

        @event.listens_for(store._database._engine, "checkout")
        def limit(connection: object, *_: object) -> None:
            connection.execute("PRAGMA max_page_count = 500")  # type: ignore[attr-defined]

        store._database.close()
        failure = fill(store)
        assert (failure.code, failure.exit_code) == ("disk-full", 3)
        assert failure.place == place
        held = len(store.calibrations.list())
    assert 0 < held == check_whole(place)


FULL = """
import subprocess, sys
from pathlib import Path
from support.records import calibration, stamp, detector
from calib.errors import StoreError
from calib.store.store import Store
folder, panels = Path(sys.argv[1]), int(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
path = folder / "calib.sqlite"
Store.create(path)
with Store.open(path) as store:
    store.detectors.add(detector(n_panels=panels), stamp())
    try:
        for seed in range(100):
            store.calibrations.add(calibration(seed=seed, n_panels=panels), (None, None), stamp())
    except StoreError as error:
        print(error.code)
with Store.open(path) as store:
    lines = store.calibrations.list()
    print(len(lines), [store.calibrations.get(line.id).version for line in lines])
"""
OWNER = """
import os, shutil, subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from support.records import NOON, SERIAL, calibration, certification, detector, stamp
from calib.errors import CalibError
from calib.store.api import maintenance
from calib.store.store import Store
folder, state = Path(sys.argv[1]), sys.argv[2]
limits = "size=1m,nr_inodes=5" if state == "no more files" else "size=3m"
subprocess.run(["mount", "-t", "tmpfs", "-o", limits, "tmpfs", folder], check=True)
path = folder / "calib.sqlite"
Store.create(path)
with Store.open(path) as store:
    store.detectors.add(detector(), stamp())
    stored, _ = store.calibrations.add(calibration(), (None, None), stamp())
    store.certifications.certify(certification(stored))
    if state == "log left behind":
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"/tmp/calib-full{os.getpid()}{ending}")
if state == "log left behind":  # as by a writer that was killed
    for ending in ("", "-wal"):
        shutil.move(f"/tmp/calib-full{os.getpid()}{ending}", f"{path}{ending}")
writer = Store.open(path) if state == "other writer" else None
if writer is not None:
    writer.detectors.add(detector("24-0999"), stamp())
numbers = iter(range(100))
try:
    while True:
        (folder / f"fill{next(numbers)}").write_bytes(bytes(100_000))
except OSError:
    pass
try:
    with (folder / "fill0").open("ab") as last:
        while True:
            last.write(bytes(512))
            last.flush()
except OSError:
    pass
for turn in range(2):
    with Store.open(path) as store:
        found = store.resolve(SERIAL, NOON, 150.0)
        assert store.calibrations.get(found.calibration.id).name == stored.name
        assert len(store.detectors.list()) == 1 + (writer is not None)
        for write in (
            lambda: store.calibrations.add(calibration(seed=2), (None, None), stamp()),
            store.require_writable,
        ):
            try:
                for _ in range(100):  # what fits in the space of a log that is there already
                    write()
                print("written")
            except CalibError as error:
                print(error.code, error.exit_code, error.problem)
        assert store.resolve(SERIAL, NOON, 150.0).calibration.id == stored.id
checks = {check.name: check.fine for check in maintenance.environment(path, datetime.now(UTC))}
assert checks["space"] is False, checks
assert checks["permission"] is True, checks
"""


@pytest.mark.skipif(not may_mount(), reason="mounting a small file system is not permitted")
def test_a_full_disk_is_reported_and_keeps_the_content(tmp_path: Path) -> None:
    printed = children.run(FULL, str(tmp_path), str(PANELS), before=("unshare", "-m"))
    code, held = printed.splitlines()
    assert code == "disk-full"
    count = int(held.split()[0])
    assert count > 0
    assert held == f"{count} {list(range(1, count + 1))}"


@pytest.mark.skipif(not may_mount(), reason="mounting a small file system is not permitted")
@pytest.mark.parametrize("state", ["at rest", "log left behind", "other writer", "no more files"])
def test_reads_go_on_while_the_disk_is_full(tmp_path: Path, state: str) -> None:
    ended = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", OWNER, str(tmp_path), state],
        env=children.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.stdout.splitlines() == ["disk-full 3 the disk is full."] * 4, ended.stderr


LIMITED = """
import resource, sys
from support.records import calibration, stamp
from calib.errors import StoreError
from calib.store.store import Store
place, panels = sys.argv[1], int(sys.argv[2])
with Store.open(place) as store:
    store.calibrations.list()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    try:
        for seed in range(100):
            store.calibrations.add(calibration(seed=seed, n_panels=panels), (None, None), stamp())
    except StoreError as error:
        print(error.code, error.exit_code)
"""


def test_a_write_that_the_system_refuses_is_a_store_error(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place)
    with Store.open(place) as store:
        store.detectors.add(detector(n_panels=PANELS), stamp())
    code, status = children.run(LIMITED, place, str(PANELS)).split()
    assert code in ("disk-full", "disk-failed")
    assert status == "3"
    check_whole(place)
    with Store.open(place) as store:  # it can be written again where there is space
        added, _ = store.calibrations.add(
            calibration(seed=5000, n_panels=PANELS), (None, None), stamp()
        )
    assert added.name.startswith(f"{SERIAL}:")
