"""Run the tests of each mutant in a process forked after the tests were collected.

Most faults lie in the body of a function. For these the child replaces the code of the function
that is loaded already, so that it imports and collects nothing. Programs that a test starts run
without the fault.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from mutation.operators import Mutant
from mutation.runner import Outcome, show

_NEW_LOCALS = 2
"""The flag of a function's code, which that of a class body does not have."""
Key = tuple[str, str, int]
"""File, qualified name and first line of a function."""
Changes = list[tuple[Key, CodeType]]
"""Functions with the code that the fault gives them."""


def changes_of(root: Path, mutant: Mutant) -> Changes | None:
    """The functions that the fault changes; None where it changes code that runs on import."""
    file = str(root / mutant.path)
    source = Path(file).read_bytes()
    old, new = (compile(text, file, "exec") for text in (source, mutant.apply(source)))
    found: Changes = []
    return found if _collect(old, new, found) else None


def _collect(old: CodeType, new: CodeType, found: Changes) -> bool:
    """Collect the functions of a module or class that differ; False where anything else does."""
    olds, news = _inner(old), _inner(new)
    if len(olds) != len(news) or _outer(old) != _outer(new):
        return False
    for one, other in zip(olds, news, strict=True):
        if one == other:
            continue
        if not one.co_flags & _NEW_LOCALS:
            if not _collect(one, other, found):
                return False
        elif one.co_freevars != other.co_freevars or one.co_name.startswith("<"):
            return False
        else:
            found.append(((one.co_filename, one.co_qualname, one.co_firstlineno), other))
    return True


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _outer(code: CodeType) -> tuple[object, ...]:
    constants = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, code.co_names, constants


def judge_loaded(
    root: Path,
    work: Sequence[tuple[Mutant, list[str]]],
    jobs: int,
    seconds: float,
    selected: str,
) -> list[tuple[Mutant, Outcome]]:
    """The outcome of every mutant, ``jobs`` at a time; each must be one of functions.

    A process of its own, since it loads the code under test.
    """
    loop = _Loop(root, work, jobs, seconds)
    files = sorted({test.partition("::")[0] for _, tests in work for test in tests})
    os.chdir(root)
    ignored = "ignore::pytest.PytestAssertRewriteWarning"  # libraries that are loaded already
    options = ["-q", "-s", "-n", "0", "-p", "no:cacheprovider", "-W", ignored, "-m", selected]
    pytest.main([*options, *files], plugins=[loop])
    return [(mutant, loop.outcomes[place]) for place, (mutant, _) in enumerate(work)]


@dataclass(frozen=True, slots=True)
class _Run:
    place: int
    process: int
    end: float
    folder: str


class _Loop:
    """A plugin that judges mutants in place of the run of all tests."""

    def __init__(
        self, root: Path, work: Sequence[tuple[Mutant, list[str]]], jobs: int, seconds: float
    ) -> None:
        self._root, self._work, self._jobs, self._seconds = root, work, jobs, seconds
        self.outcomes: dict[int, Outcome] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        functions = self._functions()
        gc.collect()
        gc.freeze()  # so that a child's collections leave these pages shared
        waiting = list(range(len(self._work)))
        running: list[_Run] = []
        while waiting or running:
            while waiting and len(running) < self._jobs:
                place = waiting.pop(0)
                mutant, tests = self._work[place]
                chosen = [items[name] for name in tests if name in items]
                changes = changes_of(self._root, mutant)
                if not chosen or changes is None or any(key not in functions for key, _ in changes):
                    self._note(place, "untested")
                    continue
                replaced = [(one, code) for key, code in changes for one in functions[key]]
                running.append(self._started(session, place, chosen, replaced))
            time.sleep(0.02)
            for run in list(running):
                verdict = _verdict(run)
                if verdict:
                    running.remove(run)
                    shutil.rmtree(run.folder, ignore_errors=True)
                    self._note(run.place, verdict)
        return True

    def _functions(self) -> dict[Key, list[FunctionType]]:
        """Every function of the code under test that is loaded."""
        inside = str(self._root / "calib") + os.sep
        found: dict[Key, list[FunctionType]] = defaultdict(list)
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(inside):
                code = one.__code__
                found[code.co_filename, code.co_qualname, code.co_firstlineno].append(one)
        return found

    def _note(self, place: int, verdict: str) -> None:
        mutant, tests = self._work[place]
        self.outcomes[place] = Outcome(verdict, len(tests))
        show(len(self.outcomes), len(self._work), mutant, verdict)

    def _started(
        self,
        session: pytest.Session,
        place: int,
        chosen: list[pytest.Item],
        replaced: list[tuple[FunctionType, CodeType]],
    ) -> _Run:
        folder = tempfile.mkdtemp(prefix="mutant-")
        process = os.fork()
        if process == 0:
            code = 70
            try:
                os.setpgid(0, 0)
                limit = round(2 * self._seconds) + 20
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
                code = _tested(session, chosen, replaced, folder)
            finally:
                os._exit(code)
        return _Run(place, process, time.monotonic() + 20 * self._seconds + 120, folder)


def _tested(
    session: pytest.Session,
    chosen: list[pytest.Item],
    replaced: list[tuple[FunctionType, CodeType]],
    folder: str,
) -> int:
    """In the child: run the tests until one fails; 1 if one did."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = folder
    tempfile.tempdir = None
    for function, code in replaced:
        function.__code__ = code
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


def _verdict(run: _Run) -> str:
    """Empty while the tests are running."""
    done, status = os.waitpid(run.process, os.WNOHANG)
    late = done == 0 and time.monotonic() > run.end
    if done == 0 and not late:
        return ""
    with contextlib.suppress(OSError):
        os.killpg(run.process, signal.SIGKILL)
    if late:
        os.waitpid(run.process, 0)
        return "timeout"
    code = os.waitstatus_to_exitcode(status)
    ended = (-signal.SIGKILL, -signal.SIGXCPU)
    return "timeout" if code in ended else {0: "survived", 1: "killed"}.get(code, f"error {code}")
