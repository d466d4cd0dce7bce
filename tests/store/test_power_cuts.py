"""A Postgres server that is killed in mid-write keeps what it acknowledged, and nothing half; one
that is restarted is waited for."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from calib.store.store import Store
from support import children
from support.postgres import SETTINGS, killable_server, server_at
from support.records import SERIAL, detector, stamp

KILLS = 100 if os.environ.get("CALIB_TEST_PROFILE") == "long" else 2
DURABLE = {**SETTINGS, "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
DATABASE = "cut"

WRITER = """
import sys
from support.records import calibration, stamp
from calib.errors import StoreError
from calib.store.store import Store
seed = int(sys.argv[2])
with Store.open(sys.argv[1]) as store:
    print("open", flush=True)
    try:
        while True:
            store.calibrations.add(calibration(seed=seed), (None, None), stamp())
            print(".", flush=True)
            seed += 1
    except StoreError as error:
        print(error.code, flush=True)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the server's user may enter."""
    with tempfile.TemporaryDirectory(prefix="calib-cut-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.postgres
def test_a_server_killed_during_a_write_keeps_what_it_acknowledged(home: Path) -> None:
    rng = random.Random(20260301)  # noqa: S311
    held = 0
    for turn in range(KILLS + 1):
        with killable_server(home, DURABLE) as (server, kill):
            place = server.url(DATABASE)
            if turn == 0:
                with server.connect() as connection:
                    connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
                Store.create(place)
                with Store.open(place) as store:
                    store.detectors.add(detector(), stamp())
            with Store.open(place) as store:
                assert store.log.audit().findings == ()
                versions = [line.version for line in store.calibrations.list()]
            assert versions == list(range(1, len(versions) + 1))
            assert held <= len(versions) <= held + 1  # the kill may have come before the answer
            if turn == KILLS:
                break
            words = [sys.executable, "-c", WRITER, place, str(1000 * turn)]
            with subprocess.Popen(
                words, env=children.environment(), stdout=subprocess.PIPE, text=True
            ) as writer:
                assert writer.stdout is not None
                assert writer.stdout.readline() == "open\n"
                # Every other time not before the first write is through, however slow it all is.
                first = [writer.stdout.readline().strip()] if turn % 2 == 0 else []
                time.sleep(rng.uniform(0.0, 0.5))
                kill()
                *acknowledged, last = first + writer.stdout.read().splitlines()
            assert writer.returncode == 0
            assert set(acknowledged) <= {"."}
            assert last == "store-unreachable"
            held = len(versions) + len(acknowledged)
    assert held > 0


@pytest.mark.postgres
def test_a_command_waits_for_a_restart_of_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calib.store.database.retry.LOST_SECONDS", 120.0)  # the machine may be slow
    asked, answered = threading.Event(), threading.Event()

    def restarted() -> None:
        asked.wait()
        time.sleep(0.5)
        with server_at(home, SETTINGS, port=server.port):
            answered.wait()

    with contextlib.ExitStack() as command:
        with server_at(home, SETTINGS) as server:
            with server.connect() as connection:
                connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
            Store.create(server.url(DATABASE))
            store = command.enter_context(Store.open(server.url(DATABASE)))
            store.detectors.add(detector(), stamp())
        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(restarted)
            try:
                asked.set()
                assert [record.serial for record in store.detectors.list()] == [SERIAL]
            finally:
                answered.set()
            done.result()
