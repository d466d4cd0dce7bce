"""`calib doctor`: what a store stands on is looked at, and what is wrong is named."""

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


def looked_at(place: str, seconds: float = 0.0) -> dict[str, Check]:
    """Every check, by name, so many seconds after noon by this machine's clock."""
    found = maintenance.environment(place, NOON + timedelta(seconds=seconds))
    return {check.name: check for check in found}


def test_a_clock_behind_the_log_is_found(place: str) -> None:
    assert looked_at(place)["clock"].finding == "nothing is recorded yet."
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp(NOON))
    assert looked_at(place, 7200.0)["clock"].finding == "the last entry of the log is 2 hours old."
    behind = looked_at(place, -3 * 3600.0)["clock"]
    assert not behind.fine
    assert behind.finding.startswith("it is 3 hours behind the last entry of the log")
    assert "set the clock of this machine" in behind.remedy


def test_what_others_record_meanwhile_is_not_from_the_future(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes to open the store: so late it is when the clocks are compared.
    monkeypatch.setattr(
        "calib.store.maintenance.environment.time", SimpleNamespace(monotonic=lambda: 0.0)
    )
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp(NOON))
    clock = looked_at(place, -2.0)["clock"]
    assert (clock.fine, clock.finding) == (True, "the last entry of the log is 0 s old.")


def test_a_server_whose_clock_differs_is_found(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)

    def after_noon() -> float:
        found = raw.execute(fresh_postgres_url, "SELECT clock_timestamp()")[0][0]
        return float((found - NOON).total_seconds())

    assert looked_at(fresh_postgres_url, after_noon())["server's clock"].fine
    ahead = looked_at(fresh_postgres_url, after_noon() - 600.0)["server's clock"]
    assert not ahead.fine
    assert ahead.finding == "it is 10 minutes ahead of the clock of this machine."


def test_a_server_without_fsync_is_found(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    server = looked_at(fresh_postgres_url)["server"]
    assert not server.fine  # the tests' server saves the time
    assert "without fsync" in server.finding
    may = looked_at(fresh_postgres_url)["permission"]
    assert (may.fine, may.finding) == (True, "the role postgres may read and write the store.")


def test_the_journal_is_told(tmp_path: Path) -> None:
    place = str(tmp_path / "calib.sqlite")
    Store.create(place, Journal.ROLLBACK)
    said = looked_at(place)["file system"]
    assert said.fine
    assert said.finding.endswith("; the store uses a rollback journal until the next write.")
    with Store.open(place) as store:
        store.detectors.add(detector(), stamp())
    assert looked_at(place)["file system"].finding.endswith("; the store uses a write-ahead log.")


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
def test_a_log_that_another_user_made_is_found(shared_folder: Path) -> None:
    path = shared_folder / "calib.sqlite"
    Store.create(path)
    path.chmod(0o666)
    said = children.run(BESIDE, str(path))
    assert said.startswith("True this user may read and write the store.")
    with Store.open(path) as store:
        store.detectors.add(detector(), stamp())
        for ending in ("-wal", "-shm"):
            path.with_name(f"{path.name}{ending}").chmod(0o644)
        said = children.run(BESIDE, str(path))
    assert said.startswith(
        "False this user may write the store, but not calib.sqlite-wal and calib.sqlite-shm "
        f"beside it, which another user made. chmod g+ws {shared_folder}"
    )
    path.chmod(0o644)
    said = children.run(BESIDE, str(path))
    assert said.startswith("True this user may read the store, but not write it.")
