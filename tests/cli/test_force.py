"""--force: what it replaces, and all that it does not, for every command that writes a file."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calib.files import kinds
from support.commands import calib, done
from support.simulated import SERIAL

STORE = "beamline.sqlite"
CALIBRATION = f"{SERIAL}:3"

Writer = Callable[[Path], tuple[object, ...]]
"""The words of a command that writes to a path."""


def checkpoint(path: Path) -> tuple[object, ...]:
    return ("audit", "checkpoint", path, "--key", "audit.pem")


WRITERS: dict[str, tuple[Writer, kinds.FileKind]] = {
    "apply": (lambda path: ("apply", "imported.expt", "-o", path), kinds.EXPERIMENTS),
    "apply to reflections": (
        lambda path: (
            "apply", "indexed.expt", "indexed.refl", "-o", "out.expt", "--reflections-out", path,
        ),
        kinds.REFLECTIONS,
    ),
    "export": (
        lambda path: ("export", CALIBRATION, "--like", "imported.expt", "-o", path),
        kinds.EXPERIMENTS,
    ),
    "publish geometry": (
        lambda path: ("publish", "geometry", SERIAL, "-o", path),
        kinds.GEOMETRY,
    ),
    "bundle create": (lambda path: ("bundle", "create", SERIAL, "-o", path), kinds.BUNDLE),
    "audit checkpoint": (checkpoint, kinds.CHECKPOINT),
}  # fmt: skip
TARGETS = (
    "the store", "a link to the store", "another name of the store", "the store's log",
    "another name of its log", "the name of its journal", "another database",
    "the name of another database's log", "the private key", "the public key", "a device",
    "a pipe", "a socket", "a folder", "a link to a folder", "a link to nothing", "an empty file",
    "a text", "a pickle", "an image",
)  # fmt: skip


@pytest.fixture
def prepared(certified: Path) -> Path:
    """The folder with the certified calibration, and a key."""
    done("audit", "key", "audit.pem")
    return certified


@pytest.fixture
def logged(prepared: Path) -> Iterator[Path]:
    """The same with a write-ahead log, which exists while the store is open."""
    connection = sqlite3.connect(prepared / STORE)
    connection.execute("SELECT * FROM detector").fetchall()
    assert (prepared / f"{STORE}-wal").exists()
    yield prepared
    connection.close()


def make(target: str, folder: Path) -> Path:
    """Make a target in a folder of its own, or name one that exists."""
    own = folder / "targets"
    own.mkdir()
    store, path = folder / STORE, own / "out"
    if target in ("the store", "the store's log", "the name of its journal"):
        return Path(f"{store}{dict(TO_STORE)[target]}")
    if target == "a link to the store":
        path.symlink_to(store)
    elif target == "another name of the store":
        path.hardlink_to(store)
    elif target == "another name of its log":
        path.hardlink_to(f"{store}-wal")
    elif "another database" in target:
        connection = sqlite3.connect(own / "other.db")
        connection.execute("CREATE TABLE t (x)")
        connection.close()
        path = own / ("other.db" if target == "another database" else "other.db-wal")
    elif "key" in target:
        return folder / ("audit.pem" if target == "the private key" else "audit.pem.pub")
    elif target == "a device":
        if os.getuid():
            pytest.skip("only root can make a device")
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    elif target == "a pipe":
        os.mkfifo(path)
    elif target == "a socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif target == "a folder":
        path.mkdir()
    elif target == "a link to a folder":
        path.symlink_to(folder, target_is_directory=True)
    elif target == "a link to nothing":
        path.symlink_to(own / "nothing")
    else:
        path.write_bytes(CONTENTS[target])
    return path


TO_STORE = (("the store", ""), ("the store's log", "-wal"), ("the name of its journal", "-journal"))
CONTENTS = {
    "an empty file": b"",
    "a text": b"Results of the night of 3 March\n",
    "a pickle": b"\x80\x04}.",
    "an image": b"\x89HDF\r\n\x1a\n" + bytes(2000),
}


def snapshot(folder: Path) -> dict[str, object]:
    """Every file below a folder as it is, but for the log that SQLite keeps."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.name in (f"{STORE}-wal", f"{STORE}-shm"):
            continue
        status = path.lstat()
        digest = ""
        if stat.S_ISREG(status.st_mode):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (status.st_mode, status.st_ino, status.st_nlink, digest)
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_force_replaces_nothing_but_a_file_of_the_format_that_is_written(
    logged: Path, target: str
) -> None:
    path = make(target, logged)
    before = snapshot(logged)
    for name, (words, _kind) in WRITERS.items():
        for force in ((), ("--force",)):
            answer = calib(*words(path), *force, "--json")
            assert answer.code == 2, (name, force)
            assert answer.error["code"] in (
                "output-exists", "output-not-replaceable", "output-is-store", "output-is-input",
                "output-is-folder",
            ), (name, answer.error)  # fmt: skip
            assert "use --force" not in answer.error["remedy"]
            assert snapshot(logged) == before, (name, force)
    assert done("audit", "verify", "--json").json["verified"]


@pytest.mark.parametrize("writer", WRITERS)
def test_force_replaces_a_file_of_the_same_format_only(prepared: Path, writer: str) -> None:
    words, kind = WRITERS[writer]
    path = prepared / "own"
    done(*words(path), "--force")
    assert kind.recognises(path.read_bytes()[: kinds.HEAD])
    assert "use --force" in calib(*words(path)).stderr
    first = path.stat().st_ino
    done(*words(path), "--force")
    assert path.stat().st_ino != first
    for other, (other_words, other_kind) in WRITERS.items():
        if other_kind is kind:
            continue
        before = path.read_bytes()
        answer = calib(*other_words(path), "--force", "--json")
        assert (answer.code, answer.error["code"]) == (2, "output-not-replaceable"), other
        assert f"and is {kind.name}; --force would replace only" in answer.error["problem"]
        assert path.read_bytes() == before


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_stays_a_link_and_its_target_is_replaced(prepared: Path, writer: str) -> None:
    words, _kind = WRITERS[writer]
    path, link = prepared / "own", prepared / "link"
    done(*words(path), "--force")
    content = path.read_bytes()
    link.symlink_to(path)
    path.write_bytes(content + b"\n")
    done(*words(link), "--force")
    assert link.readlink() == path
    assert path.read_bytes()[: kinds.HEAD] == content[: kinds.HEAD] or writer == "audit checkpoint"
    assert not path.read_bytes().endswith(b"\n\n")


def test_summaries_replace_summaries_only(prepared: Path) -> None:
    words = ("summary", "export", CALIBRATION, "-o", ".", "--force", "--json")
    outputs = [Path(each["output"]) for each in done(*words).json]
    assert all(kinds.SUMMARY.recognises(path.read_bytes()[: kinds.HEAD]) for path in outputs)
    done(*words)
    outputs[1].write_bytes(CONTENTS["an image"])
    before = snapshot(prepared)
    answer = calib(*words)
    assert (answer.code, answer.error["code"]) == (2, "output-not-replaceable")
    assert "and is an HDF5 file; --force would replace only a summary of calib" in answer.stderr
    assert snapshot(prepared) == before


def test_a_receipt_replaces_a_receipt_only(prepared: Path) -> None:
    receipt = prepared / "out.expt.calib.json"
    receipt.write_text('{"format": "other"}')
    words = ("apply", "imported.expt", "-o", "out.expt", "--force")
    assert calib(*words).code == 2
    assert (receipt.read_text(), Path("out.expt").exists()) == ('{"format": "other"}', False)
    receipt.unlink()
    for _ in range(2):
        done(*words)
    assert kinds.RECEIPT.recognises(receipt.read_bytes()[: kinds.HEAD])


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("apply", "imported.expt", "-o"), "imported.expt"),
        (("apply", "indexed.expt", "indexed.refl", "-o", "x.expt", "--reflections-out"),
         "indexed.refl"),
        (("export", CALIBRATION, "--like", "imported.expt", "-o"), "imported.expt"),
        (("audit", "checkpoint", "--key", "audit.pem"), "audit.pem"),
        (("audit", "checkpoint", "--key", "audit.pem"), "audit.pem.pub"),
    ],
)  # fmt: skip
def test_an_input_is_never_replaced(prepared: Path, words: tuple[str, ...], source: str) -> None:
    link, other = prepared / "link", prepared / "other"
    link.symlink_to(source)
    other.hardlink_to(source)
    before = snapshot(prepared)
    for path in (source, link, other):
        answer = calib(*words, path, "--force", "--json")
        assert (answer.code, answer.error["code"]) == (2, "output-is-input")
        assert snapshot(prepared) == before


@pytest.mark.parametrize("words", [("db", "backup", "-o"), ("audit", "key")])
def test_backups_and_keys_replace_nothing(prepared: Path, words: tuple[str, ...]) -> None:
    folder = prepared / "targets"
    folder.mkdir()
    for name in ("out", "out.sha256" if words[0] == "db" else "out.pub"):
        path = folder / name
        path.write_bytes(b"mine")
        before = snapshot(prepared)
        answer = calib(*words, folder / "out", "--json")
        assert (answer.code, answer.error["code"]) == (2, "output-exists")
        assert snapshot(prepared) == before
        path.unlink()
    for path in (prepared / f"{STORE}-journal", prepared / f"{STORE}-shm"):
        answer = calib(*words, path, "--json")
        assert (answer.code, answer.error["code"]) == (2, "output-is-store")


def test_a_new_store_is_not_made_in_place_of_the_log_of_another(prepared: Path) -> None:
    place = prepared / f"{STORE}-wal"
    place.unlink(missing_ok=True)
    answer = calib("init", "--store", place, "--json")
    assert (answer.code, answer.error["code"]) == (2, "output-is-store")
    assert not place.exists()


def test_the_demo_removes_no_store_from_a_folder_with_another_readme(prepared: Path) -> None:
    (prepared / "README").write_text("Data of beamline 24\n")
    (prepared / STORE).rename("calib.db")
    before = snapshot(prepared)
    answer = calib("demo", prepared, "--json")
    assert (answer.code, answer.error["code"]) == (2, "folder-in-use")
    assert snapshot(prepared) == before
