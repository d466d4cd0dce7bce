"""The commands and Python blocks of the pages work, in the order in which they stand."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from calib.config.settings import _KINDS
from calib.files.dials.dataset_write import write_dataset
from calib.flows.layouts.split import SplitRequest, merge
from fixtures.make import small_truth
from support.commands import Answer, calib, done
from support.postgres import Server
from support.simulated import measured

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IDENTIFIER = "PILATUS 300K, S/N 3-0999"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r"postgresql://\S+")

READY: dict[str, tuple[str, ...]] = {
    "tutorial/first-calibration": (),
    "how-to/calibrate": (),
    "how-to/one-panel": ("derive",),
    "how-to/identify": ("derive", "certify"),
    "how-to/pipeline": ("derive", "certify"),
    "how-to/dials-plugin": ("derive", "certify"),
    "how-to/other-programs": ("derive", "certify"),
    "how-to/compare": ("derive",),
    "how-to/report": ("derive",),
    "how-to/mend": ("derive", "certify"),
    "how-to/shared-store": (),
    "how-to/backup": ("derive", "certify"),
    "how-to/keys-and-anchors": ("derive", "certify"),
    "how-to/move-a-store": ("derive", "certify"),
    "reference/settings": ("derive",),
    "reference/layouts": (),
    "explanation/two-clocks": ("derive", "certify"),
    "explanation/audit": ("derive", "certify"),
}
"""Each page with commands, and what has been done before it begins."""
ANSWERS_NO = ("calib diff", "calib doctor")
"""May end with exit code 1, which is an answer."""
BEFORE = {
    "derive": ("derive", "near.expt", "near.refl", "far.expt", "far.refl"),
    "certify": ("certify", "3-0999:1", "--reason", "new"),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the pages name, of the detector of the fixtures."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "fixtures", folder / "fixtures")
    for ending in ("expt", "refl"):
        for name in ("near", "far"):
            shutil.copy(ROOT / f"fixtures/small_{name}.{ending}", folder / f"{name}.{ending}")
        for name in ("imported", "indexed", "run1", "run2"):
            shutil.copy(ROOT / f"fixtures/small_far.{ending}", folder / f"{name}.{ending}")
    night3 = measured(
        "night3",
        100.0,
        datetime(2026, 3, 8, 9, 0, tzinfo=UTC),
        seed=3,
        n_reflections=900,
        identifier=IDENTIFIER,
        truth=small_truth(),
    )
    write_dataset(night3, folder)
    merge(SplitRequest(folder / "near.expt", folder / "single.expt", folder / "near.refl"))
    (folder / "data" / "calib").mkdir(parents=True)
    return folder


@pytest.fixture
def here(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files as the current folder, with the variables of a new user."""
    folder = tmp_path / "here"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CALIB_STORE", str(folder / "calib.db"))
    monkeypatch.setenv("CALIB_ACTOR", "ana")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.defpath}")
    monkeypatch.setenv("HOME", str(folder))
    return folder


def blocks(page: str, *kinds: str) -> list[tuple[str, str]]:
    """Kind and text of the fenced blocks of a page."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return [
        (match["kind"], match["text"]) for match in BLOCK.finditer(text) if match["kind"] in kinds
    ]


def commands(page: str) -> list[str]:
    """The command lines of a page."""
    found = [text for _, text in blocks(page, "console")]
    return [line[2:] for text in found for line in text.splitlines() if line.startswith("$ ")]


def run(command: str) -> Answer:
    """Run one line: calib in this process, anything else in a shell; /data is in this folder, and
    metrology a group of this user."""
    line = command.replace("/data/", f"{Path.cwd()}/data/")
    line = line.replace("--shared metrology", f"--shared {os.getgid()}")
    if line.startswith("calib "):
        return calib(*shlex.split(line)[1:])
    answer = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    return Answer(answer.returncode, answer.stdout, answer.stderr)


@pytest.mark.parametrize("page", READY)
def test_the_commands_of_a_page_work(
    page: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if READY[page]:
        done("init")
    for name in READY[page]:
        done(*BEFORE[name])
    for line in commands(page):
        if line.startswith("export "):
            for pair in line.split()[1:]:
                name, _, value = pair.replace("/data/", f"{here}/data/").partition("=")
                monkeypatch.setenv(name, value)
            continue
        answer = run(line)
        allowed = (0, 1) if line.startswith(ANSWERS_NO) else (0,)
        assert answer.code in allowed, f"{line}\n{answer.stdout}{answer.stderr}"


def test_every_page_with_commands_is_run() -> None:
    with_commands = {
        str(path.relative_to(DOCS).with_suffix(""))
        for path in DOCS.rglob("*.md")
        if "```console\n" in path.read_text(encoding="utf-8")
    }
    assert with_commands == {*READY, "how-to/postgres"}


def test_a_shared_store_can_be_written_by_its_group(here: Path) -> None:
    for line in commands("how-to/shared-store")[:2]:
        assert run(line).code == 0
    folder = here / "data" / "calib"
    assert folder.stat().st_mode & 0o7777 == 0o2775
    assert (folder / "calib.db").stat().st_mode & 0o777 == 0o664


def test_the_python_tutorial_prints_what_it_shows(here: Path) -> None:
    names: dict[str, Any] = {}
    printed: str | None = None
    n_shown = 0
    (here / "calib.db").unlink(missing_ok=True)
    for kind, text in blocks("tutorial/python", "python", "text"):
        if kind == "text":
            assert printed is not None
            assert shape(printed) == shape(text)
            n_shown += 1
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, "tutorial/python.md", "exec"), names)  # noqa: S102 - our own page
        printed = out.getvalue()
    assert n_shown == 5


def shape(text: str) -> list[str]:
    """Lines without the digits behind the first, which differ between machines."""
    lines = [re.sub(r"(\.\d)\d*", r"\1", line) for line in text.splitlines()]
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_the_page_of_settings_names_every_setting() -> None:
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| `CALIB_\w+` \|", text, re.MULTILINE) == list(_KINDS)


def test_the_postgres_grants_are_enough_and_not_more(here: Path, postgres_server: Server) -> None:
    setup, people = (text for _, text in blocks("how-to/postgres", "sql"))
    server = f"@127.0.0.1:{postgres_server.port}/"
    lines = [line.replace("@db.example.org/", server) for line in commands("how-to/postgres")]
    granting = [line for line in lines if line.startswith("calib db grant")]
    lines = [line for line in lines if line not in granting]
    ana, ben, pipeline = (ADDRESS.findall(line)[0] for line in lines[1:])
    try:
        statements(postgres_server, "postgres", setup)
        assert run(lines[0]).code == 0
        assert len(granting) == 4
        for line in granting:
            assert run(line).code == 0
        statements(postgres_server, "calib", people)
        for line in lines[1:]:
            answer = run(line)
            assert answer.code == 0, f"{line}\n{answer.stderr}"
        assert "could not record this" not in answer.stderr
        for line in (
            f"calib certify 3-0999:1 --to 2030-01-01 --reason x --supersede --store {ana} --by ana",
            f"calib withdraw 3-0999:1 --reason no --store {pipeline} --by pipeline",
            f"calib derive near.expt near.refl --store {ben} --by ben",
            f"calib derive near.expt near.refl --store {pipeline} --by ana",
        ):
            answer = run(line)
            assert answer.code == 3, f"{line}\n{answer.stdout}{answer.stderr}"
        for who in (ana, ben, pipeline):
            at = "--at 2026-03-05 --distance 100"
            assert run(f"calib resolve 3-0999 {at} --store {who}").code == 0
            with (
                psycopg.connect(who) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("DELETE FROM application")
        assert run(f"calib audit verify --store {ana}").code == 0
    finally:
        roles = re.findall(r"CREATE ROLE (\w+)", setup + people)
        with postgres_server.connect() as connection:
            connection.execute("DROP DATABASE IF EXISTS calib WITH (FORCE)")
            for role in reversed(roles):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


def statements(server: Server, database: str, text: str) -> None:
    """Run SQL statements one by one, as the superuser of the tests' server."""
    with server.connect(database) as connection:
        for statement in text.split(";"):
            if statement.strip():
                connection.execute(statement.encode())


def test_decisions_have_one_number_each_and_a_status() -> None:
    paths = sorted((DOCS / "decisions").glob("0*.md"))
    numbers = [path.name[:4] for path in paths]
    assert len(set(numbers)) == len(numbers)
    for path in paths:
        title, _, below = path.read_text(encoding="utf-8").partition("\n")
        assert title.startswith(f"# {path.name[:4]} ")
        assert below.startswith("\nStatus: ")
        assert [f"\n## {part}\n" in below for part in ("Context", "Decision", "Consequences")] == [
            True
        ] * 3, path.name
