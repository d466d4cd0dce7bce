"""Users with read access but no write access."""

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


def test_a_user_without_write_access_resolves_and_learns_how_to_record(shared: Path) -> None:
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["read_only"] is True
    assert answer["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert answer["listed"] == [1, 1]
    kind, code, status, text = answer["error"]
    assert (kind, code, status) == ("StoreReadOnlyError", "store-read-only", 3)
    assert text == (
        f"{shared}: this user may read the store, but not write to it. Try: ask a user with "
        "write access; `calib apply` writes a receipt, which that user can record with "
        "`calib usage push`."
    )
    assert [entry.name for entry in shared.parent.iterdir()] == [shared.name]


def test_a_user_without_write_access_can_preview_loading_a_bundle(
    shared: Path, shared_folder: Path
) -> None:
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


def test_a_writable_file_in_a_protected_folder_is_read(shared: Path) -> None:
    shared.chmod(0o666)
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["read_only"] is True
    assert answer["resolved"] == [f"{SERIAL}:1", "after the module swap"]
    assert answer["error"][1] == "store-read-only"


def test_a_link_is_read_like_its_target(shared: Path, shared_folder: Path) -> None:
    shared.chmod(0o666)  # the folder of the link is writable, that of the file is not
    link = shared_folder / "calib.sqlite"
    link.symlink_to(shared)
    answer = json.loads(children.run(READER, str(link)))
    assert answer["read_only"] is True
    assert answer["resolved"] == [f"{SERIAL}:1", "after the module swap"]


def test_a_store_without_read_permission_is_reported(shared: Path) -> None:
    shared.chmod(0o000)
    answer = json.loads(children.run(READER, str(shared)))
    assert answer["error"][:3] == ["StoreError", "store-unreadable", 3]
    assert "the store cannot be read: Permission denied" in answer["error"][3]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_writer_sees_the_writes_of_others_whatever_files_they_leave_behind(
    shared: Path,
) -> None:
    shared.chmod(0o666)
    shared.parent.chmod(0o777)
    with children.started(ASKS_TWICE, shared) as reader:
        children.heard(reader, "asking")
        index = shared.with_name(f"{shared.name}-shm")
        index.touch()
        index.chmod(0o644)  # not writable for the reader
        children.go_on(reader)
        children.heard(reader, "asking")
        with Store.open(shared) as store:
            store.calibrations.add(calibration(seed=7), (NOON, None), stamp())
        answer = children.answer_after_going_on(reader)
    assert answer == [1, 2]


def test_a_store_moved_between_reads_is_reported_as_unreadable(shared: Path) -> None:
    with children.started(ASKS_TWICE, shared) as reader:
        children.heard(reader, "asking")
        children.go_on(reader)
        children.heard(reader, "asking")
        shared.rename(shared.with_name("elsewhere.sqlite"))
        answer = children.answer_after_going_on(reader)
    assert answer == [1, "the store cannot be read: No such file or directory."]
