"""Atomic writing, and errors of reading."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from calib.errors import InputError, MissingFileError, StoreError
from calib.files.atomic import (
    Outputs,
    claim_folder,
    open_input,
    read_bytes,
    write_safely,
)
from calib.files.dials.pairs import pair_files
from calib.files.kinds import EXPERIMENTS, NOTE
from calib.files.output_target import check_writable_target

OLD, NEW = b'{"__id__": "ExperimentList", "old": 1}', b'{"__id__": "ExperimentList", "new": 2}'

MINE = "Made by calib demo; mine\n"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(error: BaseException) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    return write


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.expt"


def test_the_written_file_is_the_only_one_left(output: Path) -> None:
    write_safely(output, NEW, EXPERIMENTS)
    assert output.read_bytes() == NEW
    assert names(output.parent) == ["out.expt"]


def test_an_existing_output_is_kept_without_force(output: Path) -> None:
    output.write_bytes(OLD)
    with pytest.raises(InputError) as caught:
        write_safely(output, NEW, EXPERIMENTS)
    assert str(caught.value) == (
        f"{output}: the output exists already. Try: use --force, or give another output file."
    )
    assert caught.value.code == "output-exists"
    assert output.read_bytes() == OLD
    write_safely(output, NEW, EXPERIMENTS, force=True)
    assert output.read_bytes() == NEW
    assert names(output.parent) == ["out.expt"]


@pytest.mark.parametrize("name", ["itself", "symbolic link", "hard link", "way around"])
def test_an_input_is_never_overwritten_under_any_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in.expt"
    source.write_bytes(OLD)
    output = tmp_path / "other.expt"
    if name == "itself":
        output = source
    elif name == "symbolic link":
        output.symlink_to(source)
    elif name == "hard link":
        output.hardlink_to(source)
    else:
        output = tmp_path / ".." / tmp_path.name / "in.expt"
    with pytest.raises(InputError) as caught:
        write_safely(output, NEW, EXPERIMENTS, inputs=[tmp_path / "none", source], force=True)
    assert str(caught.value) == (
        f"{output}: the output would overwrite the input {source}. "
        "Try: give another output file; inputs are never overwritten, even with --force."
    )
    assert source.read_bytes() == OLD


@pytest.mark.parametrize("old", [None, OLD])
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), ValueError("a bug"), InputError("code", "problem"), OSError(errno.EIO)],
)
def test_a_failure_while_writing_leaves_the_old_file(
    output: Path, old: bytes | None, error: BaseException
) -> None:
    if old is not None:
        output.write_bytes(old)
    with pytest.raises(StoreError if type(error) is OSError else type(error)):
        write_safely(output, failing(error), EXPERIMENTS, force=True)
    assert names(output.parent) == ([] if old is None else ["out.expt"])
    assert old is None or output.read_bytes() == old


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("moment", ["write", "fsync"])
def test_a_full_disk_is_reported_and_leaves_no_file(
    output: Path, number: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(number, os.strerror(number))

    def full(_descriptor: int) -> None:
        raise error

    if moment == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError) as caught:
        write_safely(output, failing(error) if moment == "write" else NEW, EXPERIMENTS)
    assert caught.value.code == "disk-full"
    assert str(caught.value) == (
        f"{output}: the disk is full, or your quota on it ({os.strerror(number)}); nothing was "
        "written. Try: free some space, or give another output file."
    )
    assert names(output.parent) == []


def test_a_kill_in_the_middle_leaves_the_old_file(output: Path) -> None:
    output.write_bytes(OLD)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from calib.files.atomic import write_safely\n"
        "from calib.files.kinds import EXPERIMENTS\n"
        "def slow(file):\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "write_safely(Path(sys.argv[1]), slow, EXPERIMENTS, force=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(output)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert output.read_bytes() == OLD


def test_a_folder_without_write_permission_is_refused(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As root every folder may be written, so the answer of the system is made up.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError) as caught:
        check_writable_target(output, EXPERIMENTS)
    assert str(caught.value) == (
        f"{output}: you have no write permission in the folder {output.parent}. "
        "Try: give another output file, in a folder that you may write to."
    )


def test_a_read_only_file_system_is_reported(output: Path) -> None:
    error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    with pytest.raises(InputError, match="you have no write permission in the folder"):
        write_safely(output, failing(error), EXPERIMENTS)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the output is a folder\. Try: name a file\."):
        check_writable_target(tmp_path, EXPERIMENTS)
    lost = tmp_path / "none" / "out.expt"
    with pytest.raises(InputError, match=rf"the folder {lost.parent} does not exist\."):
        check_writable_target(lost, EXPERIMENTS)
    with pytest.raises(InputError, match=r"no file can have this name \(File name too long\)\."):
        check_writable_target(tmp_path / ("x" * 300), EXPERIMENTS)


def test_a_long_name_in_any_script_can_be_written(tmp_path: Path) -> None:
    output = tmp_path / ("π" * 125)
    write_safely(output, NEW, EXPERIMENTS)
    assert output.read_bytes() == NEW


def test_a_file_created_meanwhile_is_kept(output: Path) -> None:
    def write(file: BinaryIO) -> None:
        output.write_bytes(OLD)
        file.write(NEW)

    with pytest.raises(InputError, match="exists already"):
        write_safely(output, write, EXPERIMENTS)
    assert output.read_bytes() == OLD
    assert names(output.parent) == ["out.expt"]


def test_files_are_written_without_hard_links(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write_safely(output, NEW, EXPERIMENTS)
    assert output.read_bytes() == NEW
    assert names(output.parent) == ["out.expt"]


def test_outputs_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    with Outputs() as outputs:
        assert outputs.stage(first, NEW, EXPERIMENTS) == hashlib.sha256(NEW).hexdigest()
        assert outputs.stage(second, lambda f: None, EXPERIMENTS) == hashlib.sha256(b"").hexdigest()
        assert not first.exists()
        outputs.commit()
    assert names(tmp_path) == ["a", "b"]


def test_outputs_are_removed_together(tmp_path: Path) -> None:
    with pytest.raises(StoreError), Outputs() as outputs:
        outputs.stage(tmp_path / "a", NEW, EXPERIMENTS)
        outputs.stage(tmp_path / "b", failing(OSError(errno.ENOSPC, "full")), EXPERIMENTS)
    assert names(tmp_path) == []


def test_two_outputs_with_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two outputs have this name\."), Outputs() as outputs:
        outputs.stage(tmp_path / "a", NEW, EXPERIMENTS)
        outputs.stage(tmp_path / ".." / tmp_path.name / "a", NEW, EXPERIMENTS)
    assert names(tmp_path) == []


def test_the_rename_follows_the_flush(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        flushed.append(output.exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    write_safely(output, NEW, EXPERIMENTS)
    # The file before it is there by its name, then the folder.
    assert flushed == [False, True]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("missing", "there is no such file. Try: check the name and the folder."),
        ("folder", "this is a folder, not a file. Try: name the file in it."),
        ("closed", "you have no read permission for this file. Try: ask its owner for it."),
        ("broken", "the file cannot be read (Input/output error)."),
    ],
)
def test_a_file_that_cannot_be_opened_is_reported(
    tmp_path: Path, kind: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.expt"
    number = {"closed": errno.EACCES, "broken": errno.EIO}.get(kind)
    if kind == "folder":
        path.mkdir()
    elif number is not None:

        def no_open(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "open", no_open)
    with pytest.raises(MissingFileError) as caught:
        read_bytes(path)
    assert str(caught.value) == f"{path}: {problem}"


def test_a_read_error_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "open", lambda *_: Broken())
    with pytest.raises(MissingFileError, match=r"cannot be read \(Input/output error\)\."):
        read_bytes(tmp_path / "in.expt")


def test_pipes_and_devices_are_refused_as_inputs(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.refl"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(MissingFileError) as refused:
            open_input(path)
        assert refused.value.problem == "this is a device or a pipe, not a file."


def test_a_claimed_folder_is_reused_for_the_same_purpose(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    for _ in range(2):
        claim_folder(folder, "README", MINE, NOTE)
        (folder / "other").write_text("replaced each time")
    assert (folder / "README").read_text() == MINE


def test_a_folder_with_other_files_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("How to process these data\n")
    (tmp_path / "data.expt").write_text("somebody's")
    for folder, code in ((tmp_path, "folder-in-use"), (tmp_path / "data.expt", "not-a-folder")):
        with pytest.raises(InputError) as caught:
            claim_folder(folder, "README", MINE, NOTE)
        assert caught.value.code == code
    assert names(tmp_path) == ["README", "data.expt"]
    assert (tmp_path / "README").read_text() == "How to process these data\n"


def test_a_loop_of_links_is_reported(tmp_path: Path) -> None:
    one, other = tmp_path / "one.expt", tmp_path / "other.expt"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(MissingFileError, match="Too many levels of symbolic links"):
        read_bytes(one)
    with pytest.raises(MissingFileError):
        pair_files([one, other])
