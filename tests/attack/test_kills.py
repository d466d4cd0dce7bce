"""A writer of a file that is killed at one of its system calls leaves what it acknowledged."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from calib.store.store import Store
from support import children, raw
from support.records import calibration, detector, stamp

PANELS = 60
SYNCS = "fsync,fdatasync"
KILLS = 100
WRITER = """
import sys
from support.records import calibration, stamp
from calib.store.store import Store
place, seed, panels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Store.open(place) as store:
    for more in range(3):
        record = calibration(seed=seed + more, n_panels=panels)
        store.calibrations.add(record, (None, None), stamp())
        print(".", end="", flush=True)
"""


def may_trace() -> bool:
    """Whether programs can be traced here."""
    strace = shutil.which("strace")
    command = [strace or "", "-e", "trace=none", "true"]
    return (
        bool(strace) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def killed_at(place: Path, seed: int, calls: str, when: int) -> tuple[int, bool]:
    """What a writer acknowledged that is killed at such a call, and whether it came to its end."""
    inject = f"inject={calls}:signal=KILL:when={when}"
    ended = subprocess.run(
        [
            *("strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject),
            *(sys.executable, "-c", WRITER, str(place), str(seed), str(PANELS)),
        ],
        env=children.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode in (0, -9, 137), ended.stderr
    return len(ended.stdout), ended.returncode == 0


@pytest.mark.long
@pytest.mark.skipif(not may_trace(), reason="strace is absent, or may not trace")
def test_a_writer_killed_at_any_system_call_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    place = tmp_path / "calib.sqlite"
    Store.create(place)
    with Store.open(place) as store:
        store.detectors.add(detector(n_panels=PANELS), stamp())
    rng = random.Random(20261130)  # noqa: S311
    held, when, calls = 0, 1, SYNCS
    for turn in range(KILLS):
        acknowledged, ended = killed_at(place, 10 * turn, calls, when)
        with Store.open(place) as store:
            assert store.log.audit().findings == ()
            lines = store.calibrations.list()
            assert [line.version for line in lines] == list(range(1, len(lines) + 1))
        # The kill may have come after the commit and before the answer.
        assert held + acknowledged <= len(lines) <= held + acknowledged + (not ended)
        assert raw.execute(str(place), "PRAGMA integrity_check") == [("ok",)]
        held = len(lines)
        if calls == SYNCS and not ended:
            when += 1
        else:  # every sync has been killed at; now at writes of pages
            calls, when = "pwrite64", rng.randrange(1, 150)
    assert held > KILLS / 10
    with Store.open(place) as store:
        store.calibrations.add(calibration(seed=9999, n_panels=PANELS), (None, None), stamp())
