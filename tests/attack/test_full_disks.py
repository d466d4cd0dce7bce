"""A disk that becomes full during a write: what was acknowledged is kept, and nothing half."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from support import children
from support.children import may_mount

LONG = os.environ.get("CALIB_TEST_PROFILE") == "long"
PROGRAM = """
import contextlib, json, os, random, subprocess, sys
from pathlib import Path
from support.records import calibration, detector, stamp
from calib.errors import CalibError
from calib.store.store import Store

folder, turns, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
size = "128m" if kind == "file" else "400m"
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder], check=True)
rng = random.Random(20261130)
ballast = folder / "ballast"

@contextlib.contextmanager
def running(turn):
    if kind == "file":
        yield str(folder / "calib.sqlite")
        return
    from support.postgres import SETTINGS, killable_server
    durable = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    small = {"min_wal_size": "32MB", "max_wal_size": "48MB"}
    with killable_server(folder, {**SETTINGS, **durable, **small}) as (server, _):
        if turn == 0:
            with server.connect() as connection:
                connection.execute("CREATE DATABASE full_disk TEMPLATE template0")
        yield server.url("full_disk")

held, codes = 0, []
for turn in range(turns + 1):
    with running(turn) as place:
        if turn == 0:
            Store.create(place)
            with Store.open(place) as store:
                store.detectors.add(detector(n_panels=60), stamp())
        with Store.open(place) as store:
            assert store.log.audit().findings == (), store.log.audit().findings[:3]
            found = [line.version for line in store.calibrations.list()]
        assert found == list(range(1, len(found) + 1)), found
        assert held <= len(found) <= held + 1, (held, len(found))
        held = len(found)
        if turn == turns:
            break
        system = os.statvfs(folder)
        left = rng.randrange(0, 1_500_000 if kind == "file" else 6_000_000)
        ballast.write_bytes(bytes(max(0, system.f_bavail * system.f_frsize - left)))
        try:
            with Store.open(place) as store:
                for seed in range(1000):
                    record = calibration(seed=1000 * turn + seed, n_panels=60)
                    store.calibrations.add(record, (None, None), stamp())
                    held += 1
        except CalibError as error:
            assert error.exit_code == 3, error
            codes.append(error.code)
        try:
            with Store.open(place) as store:
                assert len(store.calibrations.list()) in (held, held + 1)
        except CalibError as error:  # a server that has crashed
            assert kind == "server" and error.exit_code == 3, error
        ballast.unlink()
print(json.dumps([held, codes]))
"""


@pytest.mark.skipif(not may_mount(), reason="mounting a small file system is not permitted")
@pytest.mark.parametrize("kind", ["file", pytest.param("server", marks=pytest.mark.long)])
def test_a_full_disk_loses_nothing_that_was_acknowledged(kind: str) -> None:
    turns = 20 if LONG else 2
    with tempfile.TemporaryDirectory(prefix="calib-full-") as name:
        Path(name).chmod(0o755)
        words = (name, str(turns), kind)
        printed = children.run(PROGRAM, *words, before=("unshare", "-m"), timeout=3000.0)
    held, codes = json.loads(printed)
    assert len(codes) == turns
    known = {"disk-full", "disk-failed"}
    assert set(codes) <= known | ({"store-unreachable"} if kind == "server" else set()), codes
    assert held > 0
