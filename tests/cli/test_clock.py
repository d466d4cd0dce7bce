"""A wrong clock is refused, named, and corrected."""

from __future__ import annotations

import inspect
import re
import shlex
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

from calib.store.store import Store
from calib_cli.registry import COMMANDS
from support.clocks import record_in_future
from support.commands import calib, done
from support.records import detector, stamp

OPENED = re.compile(r"(open|other)_store\((?=ctx|$)(?!.*read_only=True)")
"""Where a command opens a store to record something."""


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default limits of clocks, and an empty store."""
    for name in ("CALIB_CLOCK_GAP_DAYS", "CALIB_CLOCK_TOLERANCE_DAYS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("CALIB_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.chdir(tmp_path)
    Store.create("store.sqlite")


def test_every_command_that_records_takes_clock_checked() -> None:
    recording = set()
    for name, place in COMMANDS.items():
        module = import_module(f"calib_cli.commands.{place.partition(':')[0]}")
        records = any(OPENED.search(line) for line in inspect.getsource(module).splitlines())
        takes = "--clock-checked" in done(*name.split(), "--help-all").stdout
        assert takes == records, name
        recording |= {name} if records else set()
    assert recording >= {"derive", "certify", "withdraw", "apply", "usage push", "db set"}


def test_a_command_is_refused_until_the_clock_is_confirmed() -> None:
    with Store.open("store.sqlite") as store:
        store.detectors.add(detector(), stamp(datetime.now(UTC) - timedelta(days=500)))
    place = "detector", "place", "24-0107", "--beamline", "I04", "--from", "2026-03-01"
    answer = calib(*place, "--json")
    assert (answer.code, answer.error["code"]) == (3, "clock-jump")
    assert "--clock-checked" in answer.error["remedy"]
    assert len(done("audit", "log", "--json").json) == 1
    done(*place, "--clock-checked")
    assert len(done("audit", "log", "--json").json) == 2


def test_doctor_names_wrong_times_and_a_remedy_that_works() -> None:
    def clock() -> dict[str, object]:
        answer = calib("doctor", "--json")
        (found,) = (one for one in answer.json["checks"] if one["name"] == "clock")
        assert answer.code == (0 if answer.json["fine"] else 1)
        return dict(found)

    record_in_future("store.sqlite")
    found = clock()
    assert not found["fine"]
    assert "entry 1 of the log has a time up to 1825 days ahead" in str(found["said"])
    _, _, command = str(found["remedy"]).partition("run calib ")
    before = done("audit", "log", "--json").json
    dry = done(*shlex.split(command), "--dry-run")
    assert "Entry 1 has a wrong time" in dry.stdout
    assert "Dry run: nothing was recorded." in dry.stdout
    assert done("audit", "log", "--json").json == before
    assert "Recorded as entry 2." in done(*shlex.split(command)).stdout
    assert clock()["fine"]
    assert done("audit", "log", "--json").json[:1] == before
    done("audit", "verify")
    again = calib(*shlex.split(command), "--json")
    assert (again.code, again.error["code"]) == (2, "clock-right")


def test_a_correction_needs_a_confirmation() -> None:
    record_in_future("store.sqlite")
    answer = calib("audit", "clock", "--reason", "late", "--json")
    assert (answer.code, answer.error["code"]) == (2, "clock-unchecked")
    done("audit", "clock", "--reason", "late", "--clock-checked")
