"""A user who may read the store and not write it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from calib.files.native.bundle import bundle_writer
from calib.store.store import Store
from support import children
from support.other_users import ASKS_TWICE, COMMAND, READER
from support.records import NOON, SERIAL, calibration, detector, stamp


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
        store.calibrations.add(calibration(seed=7), (NOON, None), stamp(), detector())
        bundle_writer(store.bundles.export(SERIAL))(file)
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


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_who_may_write_sees_what_others_write_whatever_they_leave_beside_the_store(
    shared: Path,
) -> None:
    shared.chmod(0o666)
    shared.parent.chmod(0o777)
    with children.started(ASKS_TWICE, shared) as reader:
        children.heard(reader, "asking")
        index = shared.with_name(f"{shared.name}-shm")
        index.touch()
        index.chmod(0o644)  # which he may not write
        children.go_on(reader)
        children.heard(reader, "asking")
        with Store.open(shared) as store:
            store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        said = children.told_at_last(reader)
    assert said == [1, 2]


def test_a_store_that_was_moved_away_meanwhile_is_said_to_be_unreadable(shared: Path) -> None:
    with children.started(ASKS_TWICE, shared) as reader:
        children.heard(reader, "asking")
        children.go_on(reader)
        children.heard(reader, "asking")
        shared.rename(shared.with_name("elsewhere.sqlite"))
        said = children.told_at_last(reader)
    assert said == [1, "the store cannot be read: No such file or directory."]
