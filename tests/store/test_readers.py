"""A user who may read the store and not write it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.store.store import Store
from support import children
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
        stored, word = store.resolve("24-0107", NOON, 150.0)
        said["resolved"] = [stored.name, word.reason]
        said["listed"] = len(store.calibrations()), len(store.known_corrections("24-0107"))
        store.record_application(application(stored))
except CalibError as error:
    said["error"] = [type(error).__name__, error.code, error.exit_code, str(error)]
print(json.dumps(said))
"""


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


def test_a_file_that_may_be_written_in_a_folder_that_may_not_is_read(shared: Path) -> None:
    shared.chmod(0o666)
    said = json.loads(children.run(READER, str(shared)))
    assert said["read_only"] is True
    assert said["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert said["error"][1] == "store-read-only"


def test_a_store_that_may_not_be_read_says_so(shared: Path) -> None:
    shared.chmod(0o000)
    said = json.loads(children.run(READER, str(shared)))
    assert said["error"][:3] == ["StoreError", "store-unreadable", 3]
    assert "the store cannot be read: Permission denied" in said["error"][3]


def test_a_reader_of_an_interrupted_write_is_told_whom_to_ask(shared: Path) -> None:
    interrupt(shared)
    said = json.loads(children.run(READER, str(shared)))
    assert said["error"][:3] == ["StoreReadOnlyError", "store-interrupted", 3]
    assert "let such a user run any calib command on this store" in said["error"][3]
    shared.chmod(0o644)
    shared.parent.chmod(0o755)
    with Store.open(shared) as store:  # the owner's next command puts it right
        assert len(store.calibrations()) == 1
        assert store.record_application(application(store.calibration("1")))
    shared.chmod(0o444)
    assert json.loads(children.run(READER, str(shared)))["listed"] == [1, 1]


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
