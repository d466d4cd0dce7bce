"""A store that a group shares, whatever the umask of its members."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calib.errors import InputError
from calib.model.store.backup import Check
from calib.store.api import maintenance
from calib.store.store import Store
from support.children import answer_after_going_on, heard, started
from support.commands import calib
from support.records import detector, stamp

GROUP = 54321
MEMBER = """
import json, os, stat, sys
from pathlib import Path
from support.people import become_another_user
from support.records import detector, stamp
from calib.errors import CalibError
from calib.store.store import Store
import calib.store.api.maintenance, calib.store.schema.revision, calib_migrations
path, user, group = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
become_another_user(user, (group,))
os.umask(0o077)
try:
    Store.create(path, group=str(54321)) if user == 1001 else None
    with Store.open(path) as store:
        store.detectors.add(detector(f"24-{user}"), stamp())
        print("written", flush=True)
        sys.stdin.readline()
        found = {
            each.name: [each.stat().st_gid, oct(stat.S_IMODE(each.stat().st_mode))]
            for each in sorted(path.parent.iterdir())
        }
        store.detectors.add(detector(f"25-{user}"), stamp())
        print(json.dumps([sorted(one.serial for one in store.detectors.list()), found]))
except CalibError as error:
    print(error.code, flush=True)
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def sharing(path: Path) -> Check:
    """The check of the doctor."""
    found = maintenance.environment(path, datetime.now(UTC))
    (check,) = (check for check in found if check.name == "sharing")
    return check


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@as_root
def test_members_write_beside_each_other_whatever_their_umask(shared_folder: Path) -> None:
    path = shared_folder / "calib" / "calib.db"
    first = started(MEMBER, path, "1001", str(GROUP))
    heard(first, "written")
    second = started(MEMBER, path, "1002", str(GROUP))
    heard(second, "written")
    answer = answer_after_going_on(first)
    assert isinstance(answer, list)
    serials, files = answer
    assert serials == ["24-1001", "24-1002", "25-1001"]
    wanted = {name: [GROUP, "0o660"] for name in ("calib.db", "calib.db-wal", "calib.db-shm")}
    assert files == wanted
    answer = answer_after_going_on(second)
    assert isinstance(answer, list)
    assert answer[0] == ["24-1001", "24-1002", "25-1001", "25-1002"]
    assert mode(path.parent) == 0o2070 | 0o700
    assert sharing(path).fine


@as_root
def test_only_a_member_of_the_group_can_share(shared_folder: Path) -> None:
    path = shared_folder / "calib" / "calib.db"
    stranger = started(MEMBER, path, "1001", "77")
    heard(stranger, "not-a-member")
    stranger.communicate()
    assert not path.parent.exists()


@pytest.mark.parametrize("fault", ["mode", "group", "log"])
def test_the_doctor_sees_a_file_that_the_group_may_not_write(tmp_path: Path, fault: str) -> None:
    if os.getuid() and fault == "group":
        pytest.skip("only root can give a file to any group")
    path = tmp_path / "a folder" / "calib.db"
    Store.create(path, group=str(os.getgid()))
    assert sharing(path).fine
    with Store.open(path) as store:
        store.detectors.add(detector(), stamp())
        wrong = path.with_name("calib.db-wal") if fault == "log" else path
        if fault == "group":
            os.chown(wrong, -1, GROUP)
        else:
            wrong.chmod(0o644)
        check = sharing(path)
        group = grp.getgrgid(os.getgid()).gr_name
        assert (check.fine, check.finding) == (
            False,
            f"the folder is shared by the group {group}, which may not write {wrong.name}.",
        )
        assert calib("doctor", "--store", path).code == 1
        subprocess.run(["/bin/sh", "-c", check.remedy], check=True)
        assert sharing(path).fine


def test_new_stores_in_a_shared_folder_are_shared(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    before = os.umask(0o077)
    try:
        Store.create(tmp_path / "a.db")
        maintenance.back_up(tmp_path / "a.db", tmp_path / "b.sqlite")
        maintenance.restore(tmp_path / "c.db", tmp_path / "b.sqlite")
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a.db", "b.sqlite", "c.db")] == [0o660, 0o600, 0o660]


def test_a_store_in_a_folder_of_its_own_is_shared_later(tmp_path: Path) -> None:
    path = tmp_path / "own" / "calib.db"
    Store.create(path)
    path.chmod(0o600)
    path.parent.chmod(0o700)
    for _ in range(2):
        assert not Store.create(path, group=str(os.getgid()))
        assert (mode(path), mode(path.parent)) == (0o660, 0o2770)


def test_a_folder_with_other_files_is_not_given_to_a_group(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    before = mode(tmp_path)
    with pytest.raises(InputError) as caught:
        Store.create(tmp_path / "calib.db", group=str(os.getgid()))
    assert caught.value.code == "folder-in-use"
    assert (mode(tmp_path), (tmp_path / "calib.db").exists()) == (before, False)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--shared", "no such group", "--store", "new/calib.db"), "no-group"),
        (("--shared", "root", "--store", "postgresql://host/db"), "bad-use"),
    ],
)
def test_what_cannot_be_shared_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = calib("init", *words, "--json")
    assert (answer.code, answer.error["code"]) == (2, code)
    assert list(tmp_path.iterdir()) == []
