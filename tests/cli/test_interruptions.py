"""After a kill, Ctrl-C or a full disk, files are complete or absent and the store is intact."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calib.store.api.calibrations import CalibrationApi
from calib.store.store import Store
from support.children import environment
from support.commands import calib, done
from support.raw import execute

DIES = """
import os, signal, sys
import calib.files.atomic as safe, calib.store.records.calibrations as calibrations
import calib.store.records.applications
from calib_cli.main import main

def dying(function):
    def dies(*words, **named):
        function(*words, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return dies

moment = sys.argv.pop(1)
if moment == "before the commit":
    calibrations.insert_calibration = dying(calibrations.insert_calibration)
elif moment == "between the outputs":
    safe._rename_new = dying(safe._rename_new)
elif moment == "while writing":
    safe.os.fsync = dying(os.fsync)
elif moment == "before the record":
    safe.Outputs.commit = dying(safe.Outputs.commit)
else:
    raise SystemExit(f"no such moment: {moment}")
main()
"""
"""A program that is killed at a certain moment, as by a power cut."""


def killed(moment: str, *words: str) -> None:
    """Run a command that is killed at that moment."""
    ended = subprocess.run(
        [sys.executable, "-c", DIES, moment, *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr


def check_store(here: Path) -> None:
    """The store opens, and every calibration in it reads and verifies."""
    place = str(here / "beamline.sqlite")
    assert execute(place, "PRAGMA integrity_check") == [("ok",)]
    with Store.open(place) as store:
        for line in store.calibrations.list():
            assert store.calibrations.get(line.id).version == line.version


NEW = ("derive", "night1.expt", "night1.refl", "--prior-shift-um", "80")
"""A derivation that the store does not hold yet."""


def test_derive_killed_before_the_commit_stores_nothing(here: Path) -> None:
    before = done("list", "--json").stdout
    killed("before the commit", *NEW)
    check_store(here)
    assert done("list", "--json").stdout == before
    assert done(*NEW, "--json").json["calibration"]["version"] == 4


PAIR = ("apply", "indexed.expt", "indexed.refl", "-o", "out.expt")
OUTPUTS = ("out.expt", "out.refl", "out.expt.calib.json")


@pytest.mark.parametrize("moment", ["while writing", "between the outputs", "before the record"])
def test_apply_killed_leaves_complete_files_only(certified: Path, moment: str) -> None:
    done("apply", "indexed.expt", "indexed.refl", "-o", "whole.expt")
    whole = {name: Path(name.replace("out", "whole")).read_bytes() for name in OUTPUTS[:2]}
    killed(moment, *PAIR)
    check_store(certified)
    present = [name for name in OUTPUTS if Path(name).exists()]
    assert present == {"while writing": [], "between the outputs": ["out.expt"]}.get(
        moment, list(OUTPUTS)
    )
    for name in present:
        if name in whole:
            assert Path(name).read_bytes() == whole[name]
    if moment == "before the record":  # the receipt is the record until it is delivered
        assert done("usage", "push", "out.expt.calib.json", "--json").json["recorded"] == 1
    # A second run succeeds.
    done(*PAIR, "--force")
    assert {name: Path(name).read_bytes() for name in whole} == whole


SLOW = """
import signal, sys, time
import calib.solve.joint.refinement as refine
from calib_cli.main import main
# As at a terminal: a shell that started the tests in the background lets them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
def stays(*_):
    print("deriving", file=sys.stderr, flush=True)
    time.sleep(60)
refine.sum_equations = stays
main()
"""
"""A program that stays in the middle of a derivation."""


def with_mark(mark: str) -> list[int]:
    """The processes that were given this mark in their environment, or inherited it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
        except OSError:
            continue  # another user's, or gone meanwhile
        if mark.encode() in environ:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (signal.SIGINT, 130, "Error: interrupted.\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGKILL, -9, ""),
    ],
    ids=str,
)
def test_a_signal_in_the_middle_of_derive_stores_nothing_and_leaves_no_process(
    here: Path, sent: signal.Signals, code: int, message: str, workers: int
) -> None:
    before = done("list", "--json").stdout
    mark = f"CALIB_TEST_MARK={here}-{sent}-{workers}"
    pairs = ("night2.expt", "night2.refl", "--workers", str(workers))
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *NEW, *pairs],
        env={**environment(), **dict([mark.split("=")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "deriving\n"
        assert len(with_mark(mark)) == 1 + workers
        running.send_signal(sent)
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out, err) == (code, "", message)
    deadline = time.monotonic() + 60.0
    while with_mark(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert with_mark(mark) == []
    check_store(here)
    assert done("list", "--json").stdout == before


def test_ctrl_c_is_reported_as_json(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CalibrationApi, "list", interrupt)
    answer = calib("list", "--json")
    assert (answer.code, answer.stdout, answer.error["code"]) == (130, "", "interrupted")


def test_a_full_disk_in_the_middle_of_apply_writes_nothing(
    certified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = sorted(certified.iterdir())

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("calib.files.atomic.os.fsync", full)
        answer = calib(*PAIR, "--json")
    assert (answer.code, answer.stdout, answer.error["code"]) == (3, "", "disk-full")
    assert answer.stderr.splitlines()[:2] == [
        "Error: out.expt: the disk is full, or your quota on it (No space left on device); "
        "nothing was written.",
        "Try: free some space, or give another output file",
    ]
    assert sorted(certified.iterdir()) == present
    assert done("usage", "list", "--json").json == []


FULL = """
import sys
from sqlalchemy import event
from sqlalchemy.pool import Pool
from calib_cli.main import main
@event.listens_for(Pool, "connect")
def limit(connection, _):
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
main()
"""
"""A program whose store may not grow, as on a full disk."""


def test_a_full_disk_in_the_middle_of_derive_stores_nothing(here: Path) -> None:
    before = done("list", "--json").stdout
    ended = subprocess.run(
        [sys.executable, "-c", FULL, *NEW],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        f"Error: {here / 'beamline.sqlite'}: the disk is full.\n"
        "Try: free some space, then try again; the store is unchanged\n"
    )
    check_store(here)
    assert done("list", "--json").stdout == before
