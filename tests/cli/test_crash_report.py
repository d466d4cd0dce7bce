"""Crash reports: a folder of the user's own, and no link of another user is followed."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calib_cli.crash_report import write_report


@pytest.fixture
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log folder, which does not exist; temporary files are put beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "state" / "calib" / "log"


def written() -> Path:
    path = write_report(ZeroDivisionError("at work"), ["list"])
    assert path is not None
    assert "ZeroDivisionError: at work" in path.read_text()
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_reads_a_report(log_folder: Path) -> None:
    path = written()
    assert path.parent == log_folder
    assert (mode(path), mode(log_folder)) == (0o600, 0o700)


def test_a_log_folder_that_others_may_read_is_closed(log_folder: Path) -> None:
    log_folder.mkdir(parents=True, mode=0o755)
    assert written().parent == log_folder
    assert mode(log_folder) == 0o700


def test_a_link_in_place_of_the_log_folder_is_not_followed(
    log_folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log_folder.parent.mkdir(parents=True)
    log_folder.symlink_to(elsewhere, target_is_directory=True)
    path = written()
    assert list(elsewhere.iterdir()) == []
    assert path.parent.parent == tmp_path / "tmp"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_the_folder_of_another_user_is_not_used(log_folder: Path, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a folder away")
    log_folder.mkdir(parents=True)
    log_folder.chmod(0o777)
    os.chown(log_folder, 65534, 65534)
    assert written().parent.parent == tmp_path / "tmp"
    assert list(log_folder.iterdir()) == []


def test_an_existing_file_or_link_is_not_written_to(log_folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    log_folder.mkdir(parents=True)
    now = datetime.now(UTC)
    for second in range(60):  # the name of a report contains the second
        name = f"bug-{now + timedelta(seconds=second):%Y%m%dT%H%M%S}-{os.getpid()}.log"
        (log_folder / name).symlink_to(victim)
    assert written().parent.parent == tmp_path / "tmp"
    assert victim.read_text() == "mine"
