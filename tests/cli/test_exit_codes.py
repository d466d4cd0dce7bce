"""Exit codes of the program; it never prints a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import calib.api.certification
from calib import __version__
from calib.errors import StoreError
from calib.store.api.calibrations import CalibrationApi
from calib.store.api.certifications import CertificationApi
from support.children import environment, run
from support.commands import calib as command
from support.commands import done, program
from support.simulated import measured, write_imported


def test_success_is_0(here: Path) -> None:
    assert program("list", "--json").code == 0
    shown = program("--version")
    assert (shown.code, shown.stdout, shown.stderr) == (0, f"calib {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("show", "24-0107:9"),
        ("detector", "show", "24-0999"),
        ("list", "--serial", "24-0999"),
        ("usage", "list", "--serial", "24-0999"),
    ],
    ids=str,
)
def test_nothing_found_is_1(here: Path, words: tuple[str, ...]) -> None:
    answer = command(*words, "--json")
    assert (answer.code, answer.stdout) == (1, "")
    assert answer.error["code"] in ("unknown-calibration", "unknown-detector")


def test_an_empty_list_is_a_success(tmp_path: Path) -> None:
    done("init", "--store", tmp_path / "new.sqlite")
    for words in (("list",), ("detector", "list"), ("usage", "list")):
        assert done(*words, "--json", "--store", tmp_path / "new.sqlite").json == []
        human = done(*words, "--store", tmp_path / "new.sqlite")
        assert human.stdout == ""
        assert human.stderr


def test_wrong_usage_is_2(here: Path) -> None:
    answer = program("derive", "gone.expt", "--json")
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.error["code"] == "missing-file"


def test_a_store_that_fails_is_3(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise StoreError("store-locked", "another program is writing.", remedy="try again.")

    monkeypatch.setattr(CertificationApi, "certify", locked)
    answer = command("certify", "24-0107:3", "--reason", "new", "--json")
    assert (answer.code, answer.stdout) == (3, "")
    assert answer.error == {
        "code": "store-locked",
        "problem": "another program is writing.",
        "place": None,
        "remedy": "try again",
    }


def test_a_full_disk_under_stdout_is_3(here: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "calib_cli", "list"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 3
    assert "Error: the system reports: No space left on device.\nTry: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_too_little_memory_is_3(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(CalibrationApi, "list", starve)
    answer = command("list", "--json")
    assert (answer.code, answer.error["code"]) == (3, "out-of-memory")


URL = "postgresql://ada:secret@host/calib"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user whose log folder is empty."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_bug_is_70_and_asks_for_a_report(
    here: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"{URL} is away")

    monkeypatch.setattr(calib.api.certification, "certify", fail)
    answer = command("certify", "24-0107:3", "--by", URL, "--reason", "new", "--json")
    assert (answer.code, answer.stdout) == (70, "")
    (report,) = logs.rglob("bug-*.log")
    message, tried, _ = answer.stderr.splitlines()
    assert message.startswith("Error: calib failed, which is a bug (ZeroDivisionError: ")
    assert tried == f"Try: report it to the developers of calib with the file {report}"
    assert answer.error["code"] == "bug"
    text, shown = report.read_text(), URL.replace("secret", "***")
    assert "Traceback (most recent call last)" in text
    assert f"Command: calib certify 24-0107:3 --by {shown} --reason new --json" in text
    assert f"calib-metrology {__version__}" in text
    assert "Traceback" not in answer.stderr
    assert "secret" not in text + answer.stderr


def test_a_bug_is_reported_without_a_log_folder(
    here: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(calib.api.certification, "certify", fail)
    logs.write_text("a file where the folder should be")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(logs / "neither"))
    answer = command("certify", "24-0107:3", "--reason", "new")
    assert answer.code == 70
    assert answer.stderr == (
        "Error: calib failed, which is a bug (ZeroDivisionError).\n"
        "Try: report it to the developers of calib, with your command line\n"
    )


def test_a_rejected_derivation_is_1_and_stored_as_a_draft(here: Path) -> None:
    # An undisturbed detector: there is nothing to correct, so residuals do not improve.
    write_perfect(here)
    words = ("derive", "perfect.expt", "perfect.refl", "--json")
    refused = command(*words)
    assert refused.code == 1
    found = refused.json
    assert found["acceptance"]["accepted"] is False
    assert found["acceptance"]["reasons"]
    assert found["calibration"]["state"] == "draft"
    name = f"{found['calibration']['serial']}:{found['calibration']['version']}"
    assert done("show", name, "--json").json["calibration"] == found["calibration"]
    people = command(*words[:-1])
    assert people.code == 1
    assert "Not accepted (draft)" in people.stdout
    assert "It is a draft, which is not used: derive again" in people.stderr
    assert "calib certify" not in people.stderr
    refusal = command("certify", name, "--from", "2026-03-01", "--reason", "new")
    assert refusal.code == 2
    assert f"Error: {name} failed acceptance and is a draft: " in refusal.stderr
    insist = ("certify", name, "--from", "2026-03-01", "--reason", "new", "--override", "I know")
    kept = done(*insist, "--json")
    assert kept.json["certification"]["override"] == "I know"
    assert "failed acceptance and is certified with an override: I know" in kept.stderr
    spare = done("certify", "24-0107:3", "--reason", "new", "--override", "I know")
    assert "24-0107:3 passed acceptance and needs no override: I know" in spare.stderr
    later = ("24-0107", "--at", "2026-03-05", "--distance", "200")
    assert "failed acceptance" not in done("resolve", *later).stderr


def write_perfect(folder: Path) -> None:
    """Data of a detector with nominal geometry, with too few reflections for two halves."""
    from calib.files.dials.dataset_write import write_dataset

    perfect = measured("perfect", 200.0, None, seed=5, n_reflections=900, layout_name="PILATUS 1M",
                       identifier="PILATUS 1M, S/N 10-0001")  # fmt: skip
    write_dataset(perfect, folder)


def test_some_failed_files_of_many_are_4(certified: Path) -> None:
    write_imported(measured("other", 200.0, None, seed=6), certified / "timeless.expt")
    some = command("apply", "imported.expt", "timeless.expt", "gone.expt", "--json")
    assert some.code == 4
    first, second, third = some.json
    assert first["outputs"] == ["imported_calibrated.expt"]
    assert (second["inputs"], second["error"]["code"]) == (["timeless.expt"], "no-time")
    assert (third["inputs"], third["error"]["code"]) == (["gone.expt"], "missing-file")
    assert Path("imported_calibrated.expt").exists()
    assert not Path("timeless_calibrated.expt").exists()
    assert "Error: timeless.expt: the experiment list does not state when" in some.stderr

    all_of_them = command("apply", "timeless.expt", "gone.expt", "--json")
    assert (all_of_them.code, len(all_of_them.json)) == (2, 2)
    both = command("apply", "imported.expt", "night2.expt", "--force", "--json")
    assert both.code == 0
    assert [view["written"] for view in both.json] == [True, True]


def test_a_closed_pipe_ends_quietly(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "calib_cli", "show", "24-0107:3", "--json"],
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_closed_stderr_is_ignored(here: Path) -> None:
    script = 'exec "$0" -m calib_cli "$@" 2>&-'
    words = ["sh", "-c", script, sys.executable, "certify", "24-0107:3", "--reason", "a", "--json"]
    ended = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["stored"] is True


READER = """
import os, sys
import calib_cli.main
from support.people import become_another_user
become_another_user()
os.chdir(sys.argv[1])
print(calib_cli.main.app(sys.argv[2:], prog_name="calib", standalone_mode=False))
"""


@pytest.fixture
def shared(certified: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The files and the store in a folder that others can read but not write."""
    # Not below tmp_path: other users cannot enter the folders above it.
    top = Path(tempfile.mkdtemp(prefix="calib-shared-"))
    folder = top / "here"
    shutil.copytree(certified, folder)
    monkeypatch.setenv("CALIB_STORE", str(folder / "beamline.sqlite"))
    (folder / "mine").mkdir()
    (folder / "mine").chmod(0o777)
    for path in folder.glob("*.*"):
        path.chmod(0o444)
    folder.chmod(0o555 if os.getuid() else 0o755)
    top.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(top)


def as_reader(folder: Path, *words: str) -> list[str]:
    """Output of a user without write access to the store; the exit code is last."""
    return run(READER, str(folder), *words).splitlines()


def test_a_user_without_write_access_reads_and_applies_but_cannot_certify(shared: Path) -> None:
    store = ("--store", str(shared / "beamline.sqlite"))
    *_, code = as_reader(shared, "show", "24-0107:3", "--json", *store)
    assert code == "0"
    code = as_reader(shared, "certify", "24-0107:3", "--reason", "mine", *store)[-1]
    assert code == "3"
    files = (str(shared / "night1.expt"), str(shared / "night1.refl"))
    assert as_reader(shared, "derive", *files, "--json", *store) == ["3"]
    applied, code = as_reader(
        shared / "mine", "apply", str(shared / "imported.expt"), "-o", "out.expt", "--json", *store
    )
    assert code == "0"
    view = json.loads(applied)
    assert (view["written"], view["recorded"]) == (True, False)
    assert view["receipt"] == "out.expt.calib.json"

    # A user with write access records the receipt, once.
    (shared / "beamline.sqlite").chmod(0o644)
    shared.chmod(0o755)
    receipt = shared / "mine" / "out.expt.calib.json"
    tried = done("usage", "push", receipt, "--json", "--dry-run").json
    assert (tried["recorded"], tried["stored"]) == (1, False)
    assert done("usage", "list", "--json").json == []
    pushed = done("usage", "push", shared / "mine", "--json").json
    assert (pushed["recorded"], pushed["already"], pushed["files"]) == (1, 0, [str(receipt)])
    again = done("usage", "push", receipt, "--json").json
    assert (again["recorded"], again["already"]) == (0, 1)
    (listed,) = done("usage", "list", "--json").json
    assert listed["calibration"] == "24-0107:3"
    assert listed["output_names"] == ["out.expt"]
