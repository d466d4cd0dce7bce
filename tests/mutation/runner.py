"""Run the tests of each mutant in a process forked from one that has loaded the libraries."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation.operators import Mutant

FOLDERS = ("calib", "cli", "migrations", "tests", "fixtures", "docs", "benchmarks")
FILES = (
    *("pyproject.toml", "README.md", "constraints.txt", "constraints-lowest.txt", "Makefile"),
    "CHANGELOG.md",
)
LIBRARIES = (
    *("alembic.command", "gemmi", "h5py", "hypothesis.strategies", "numpy.testing", "psycopg"),
    *("pydantic", "pytest", "rich.progress", "rich.table", "scipy.constants", "scipy.interpolate"),
    *("scipy.linalg", "scipy.sparse", "scipy.spatial.transform", "scipy.special", "sqlmodel"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "typer.testing", "xdist"),
)
SLACK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: killed, timeout (killed as well), survived, or untested."""

    verdict: str
    n_tests: int


@dataclass(slots=True)
class _Run:
    place: int
    tree: Path
    process: int
    end: float


def judge_all(
    root: Path, work: Sequence[tuple[Mutant, list[str]]], jobs: int, seconds: float
) -> list[tuple[Mutant, Outcome]]:
    """The outcome of every mutant, ``jobs`` at a time, each in a tree of its own."""
    _load_libraries()
    outcomes: dict[int, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        trees = [_copied(root, Path(name, str(number))) for number in range(jobs)]
        waiting = [place for place, (_, tests) in enumerate(work) if tests]
        outcomes |= {p: Outcome("untested", 0) for p, (_, tests) in enumerate(work) if not tests}
        running: list[_Run] = []
        while waiting or running:
            while waiting and trees:
                running.append(_started(root, work, waiting.pop(0), trees.pop(), seconds))
            time.sleep(0.05)
            for run in list(running):
                verdict = _verdict(run)
                if verdict is not None:
                    mutant, tests = work[run.place]
                    outcomes[run.place] = Outcome(verdict, len(tests))
                    (run.tree / mutant.path).write_bytes((root / mutant.path).read_bytes())
                    trees.append(run.tree)
                    running.remove(run)
                    show(len(outcomes), len(work), mutant, verdict)
    return [(mutant, outcomes[place]) for place, (mutant, _) in enumerate(work)]


def without_fault(path: str) -> Mutant:
    """A mutant that changes nothing: where it does not survive, no other verdict is worth much."""
    return Mutant(path, 1, 0, 0, "", "no fault")


def _started(
    root: Path, work: Sequence[tuple[Mutant, list[str]]], place: int, tree: Path, seconds: float
) -> _Run:
    mutant, tests = work[place]
    (tree / mutant.path).write_bytes(mutant.apply((root / mutant.path).read_bytes()))
    process = os.fork()
    if process == 0:
        os.setpgid(0, 0)
        code = 70
        try:
            code = _tested(tree, tests)
        finally:
            os._exit(code)
    with contextlib.suppress(OSError):
        os.setpgid(process, process)
    return _Run(place, tree, process, time.monotonic() + 3 * seconds + SLACK_SECONDS)


def _tested(tree: Path, tests: list[str]) -> int:
    """In the child: run the tests in a tree; pytest's exit code."""
    import pytest

    os.chdir(tree)
    places = [str(tree), str(tree / "cli"), str(tree / "migrations"), str(tree / "tests")]
    os.environ["PYTHONPATH"] = os.pathsep.join(places)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.dont_write_bytecode = True
    sys.path[:] = [*places, *(p for p in sys.path if p not in places)]
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    for name in [n for n in sys.modules if n.split(".")[0] in ("calib", "calib_cli", "mutation")]:
        del sys.modules[name]
    ignored = "ignore::pytest.PytestAssertRewriteWarning"  # libraries that are loaded already
    return int(
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-n", "0", "-W", ignored, *tests])
    )


def _verdict(run: _Run) -> str | None:
    done, status = os.waitpid(run.process, os.WNOHANG)
    if done == 0:
        if time.monotonic() < run.end:
            return None
        _end(run.process)
        os.waitpid(run.process, 0)
        return "timeout"
    _end(run.process)
    code = os.waitstatus_to_exitcode(status)
    # 1: a test failed; 2: a module of tests could not be imported; the rest is no verdict.
    return {0: "survived", 1: "killed", 2: "killed"}.get(code, f"error {code}")


def _end(process: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process, signal.SIGKILL)


def _copied(root: Path, tree: Path) -> Path:
    tree.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in FOLDERS:
        shutil.copytree(root / folder, tree / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(root / file, tree / file)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=False)
    return tree


def _load_libraries() -> None:
    """Load what nearly every test needs, but nothing of the code under test."""
    for name in LIBRARIES:
        importlib.import_module(name)


def show(done: int, all_: int, mutant: Mutant, verdict: str) -> None:
    """Report a verdict as soon as it is known."""
    place = f"{mutant.path}:{mutant.line}"
    sys.stderr.write(f"{done}/{all_} {place} {mutant.operator} -> {mutant.new!r}: {verdict}\n")
