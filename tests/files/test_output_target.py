"""The rule for existing files, where commands cannot show it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calib.config.location import Location, database_beside
from calib.errors import InputError
from calib.files.atomic import write_safely
from calib.files.kinds import EXPERIMENTS, WRITTEN
from calib.files.output_target import OutputRule
from support.children import run

EXPT = b'{"__id__": "ExperimentList"}'


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "/proc/self/mem"])
def test_devices_of_the_system_are_not_replaced(path: str) -> None:
    with pytest.raises(InputError) as caught:
        OutputRule(force=True).target(Path(path), EXPERIMENTS)
    assert caught.value.code == "output-not-replaceable"


@pytest.mark.parametrize("kind", WRITTEN)
def test_an_empty_file_and_a_text_are_of_no_kind(kind: object) -> None:
    assert not kind.recognises(b"")  # type: ignore[attr-defined]
    assert not kind.recognises(b"The ExperimentList of 3 March\n")  # type: ignore[attr-defined]


def test_a_json_file_that_mentions_the_kind_elsewhere_is_not_of_it() -> None:
    assert not EXPERIMENTS.recognises(b'{"cells": ["\\"__id__\\": \\"ExperimentList\\""]}')
    assert not EXPERIMENTS.recognises(b'[{"__id__": "ExperimentList"}]')
    assert EXPERIMENTS.recognises(b'\n { "__id__" : "ExperimentList", "experiment": []}')


def test_a_file_of_another_kind_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "out.expt"
    output.write_bytes(EXPT)

    def write(file: object) -> None:
        output.unlink()
        output.write_bytes(b"SQLite format 3\0")

    with pytest.raises(InputError) as caught:
        write_safely(output, write, EXPERIMENTS, force=True)
    assert caught.value.code == "output-not-replaceable"
    assert "is an SQLite database; --force would replace only" in caught.value.problem
    assert [path.name for path in tmp_path.iterdir()] == ["out.expt"]


def test_a_link_that_changes_meanwhile_is_not_followed(tmp_path: Path) -> None:
    one, other, link = tmp_path / "one", tmp_path / "other", tmp_path / "link"
    for path in (one, other):
        path.write_bytes(EXPT)
    link.symlink_to(one)

    def write(file: object) -> None:
        link.unlink()
        link.symlink_to(other)

    with pytest.raises(InputError):
        write_safely(link, write, EXPERIMENTS, force=True)
    assert one.read_bytes() == other.read_bytes() == EXPT
    assert {path.name for path in tmp_path.iterdir()} == {"one", "other", "link"}


def test_a_file_that_one_may_not_read_is_not_replaced(tmp_path: Path) -> None:
    """A user with write access to the folder could rename a file over it unseen."""
    if os.getuid():
        pytest.skip("only root can become another user")
    output = tmp_path / "secret.expt"
    output.write_bytes(EXPT)
    output.chmod(0o600)
    tmp_path.chmod(0o777)
    answer = run(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from calib.errors import InputError\n"
        "from calib.files.atomic import write_safely\n"
        "from calib.files.kinds import EXPERIMENTS\n"
        "os.chdir(Path(sys.argv[1]).parent)\n"  # the folders above may be root's own
        "os.setgid(65534)\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    write_safely(Path('secret.expt'), b'new', EXPERIMENTS, force=True)\n"
        "except InputError as error:\n"
        "    print(error.code, error.problem)\n",
        str(output),
    )
    assert answer == (
        "output-not-replaceable the output exists already and is a file that cannot be read; "
        "--force would replace only an experiment list of DIALS.\n"
    )
    assert output.read_bytes() == EXPT


def test_the_files_of_a_store_are_those_of_its_real_name(tmp_path: Path) -> None:
    store, link = tmp_path / "calib.db", tmp_path / "link.db"
    link.symlink_to(store)
    endings = ("", "-wal", "-shm", "-journal")
    assert set(Location.parse(link).files) == {link, *(Path(f"{store}{end}") for end in endings)}
    assert Location.parse("postgresql://ana@host/calib").files == ()


def test_only_a_database_has_a_log_beside_it(tmp_path: Path) -> None:
    base = tmp_path / "notes"
    for content, found in ((None, None), (b"text", None), (b"SQLite format 3\0...", base)):
        if content is not None:
            base.write_bytes(content)
        for ending in ("-wal", "-shm", "-journal"):
            assert database_beside(tmp_path / f"notes{ending}") == found
        assert database_beside(base) is None
