"""`calib doctor` checks the environment of a store and names what is wrong."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from calib.model.store.backup import Check
from calib.store.api import maintenance
from calib.store.database.journal import Journal
from calib.store.store import Store
from support import children, raw
from support.records import NOON, detector, stamp


def checks_of(place: str, seconds: float = 0.0) -> dict[str, Check]:
    """The checks by name, this many seconds after noon by the clock of this machine."""
    found = maintenance.environment(place, NOON + timedelta(seconds=seconds))
    return {check.name: check for check in found}


def test_a_clock_behind_the_log_is_reported(place: str) -> None:
    assert checks_of(place)["clock"].finding == "nothing is recorded yet."
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp(NOON))
    assert checks_of(place, 7200.0)["clock"].finding == "the last entry of the log is 2 hours old."
    behind = checks_of(place, -3 * 3600.0)["clock"]
    assert not behind.fine
    assert behind.finding.startswith("it is 3 hours behind the last entry of the log")
    assert "set the clock of this machine" in behind.remedy


def test_an_entry_recorded_during_the_check_is_not_in_the_future(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clocks are compared at the time when the store is open, however long opening takes.
    monkeypatch.setattr(
        "calib.store.maintenance.environment.time", SimpleNamespace(monotonic=lambda: 0.0)
    )
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp(NOON))
    clock = checks_of(place, -2.0)["clock"]
    assert (clock.fine, clock.finding) == (True, "the last entry of the log is 0 s old.")


def test_a_server_with_another_clock_is_reported(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)

    def after_noon() -> float:
        found = raw.execute(fresh_postgres_url, "SELECT clock_timestamp()")[0][0]
        return float((found - NOON).total_seconds())

    assert checks_of(fresh_postgres_url, after_noon())["server's clock"].fine
    ahead = checks_of(fresh_postgres_url, after_noon() - 600.0)["server's clock"]
    assert not ahead.fine
    assert ahead.finding == "it is 10 minutes ahead of the clock of this machine."


def test_a_server_without_fsync_is_reported(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    server = checks_of(fresh_postgres_url)["server"]
    assert not server.fine  # switched off on the test server for speed
    assert "without fsync" in server.finding
    may = checks_of(fresh_postgres_url)["permission"]
    assert (may.fine, may.finding) == (True, "the role postgres may read and write the store.")


def test_the_journal_is_reported(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place, Journal.ROLLBACK)
    text = checks_of(place)["file system"]
    assert text.fine
    assert text.finding.endswith("; the store uses a rollback journal until the next write.")
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    assert checks_of(place)["file system"].finding.endswith("; the store uses a write-ahead log.")


BESIDE = """
import sys
from support.people import become_another_user
from support.records import NOON
from calib.store.api import maintenance
become_another_user()
for check in maintenance.environment(sys.argv[1], NOON):
    if check.name == "permission":
        print(check.fine, check.finding, check.remedy)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_write_ahead_log_of_another_user_is_reported(shared_folder: Path) -> None:
    path = shared_folder / "calib.sqlite"
    Store.create(path)
    path.chmod(0o666)
    text = children.run(BESIDE, str(path))
    assert text.startswith("True this user may read and write the store.")
    with Store.open(path) as store:
        store.detectors.add(detector(), stamp())
        for ending in ("-wal", "-shm"):
            path.with_name(f"{path.name}{ending}").chmod(0o644)
        text = children.run(BESIDE, str(path))
    assert text.startswith(
        "False this user may write the store, but not calib.sqlite-wal and calib.sqlite-shm "
        f"beside it, which another user made. chmod g+ws {shared_folder}"
    )
    path.chmod(0o644)
    text = children.run(BESIDE, str(path))
    assert text.startswith("True this user may read the store, but not write it.")
