"""Which tests run which lines, and how long each test takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SELECTED = "not dials and not real_data and not postgres"
"""Tests with a server or a program of their own take too long for each mutant."""


def made_map(root: Path, chosen: Sequence[str] = ()) -> dict[str, Any]:
    """Run the tests of the default profile, or the ``chosen`` ones, once under coverage.

    Returns ``lines`` (path -> line -> indices of tests), ``tests`` (their ids) and ``seconds``.
    """
    import coverage

    with tempfile.TemporaryDirectory() as name:
        data_file, times = Path(name, "coverage"), Path(name, "times.xml")
        subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile",
                "-m", SELECTED, "--cov=calib", "--cov-context=test", "--cov-report=",
                f"--junitxml={times}", "-p", "no:cacheprovider", *chosen,
            ],
            cwd=root,
            env={**os.environ, "COVERAGE_FILE": str(data_file), "OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )  # fmt: skip
        data = coverage.CoverageData(str(data_file))
        data.read()
        seconds = _seconds(times)
        tests: dict[str, int] = {}
        lines: dict[str, dict[str, list[int]]] = {}
        for file in sorted(data.measured_files()):
            path = str(Path(file).relative_to(root))
            for line, contexts in data.contexts_by_lineno(file).items():
                ids = {context.rsplit("|", 1)[0] for context in contexts if "|" in context}
                numbers = [tests.setdefault(one, len(tests)) for one in sorted(ids)]
                lines.setdefault(path, {})[str(line)] = numbers
    return {
        "lines": lines,
        "tests": list(tests),
        "seconds": [seconds.get(_key(t), 1.0) for t in tests],
    }


def tests_of_line(table: dict[str, Any], path: str, line: int, most_seconds: float) -> list[str]:
    """The tests that run a line, as many as fit into the time (at least one): the fastest first,
    but of each function two at most before a third of any.

    A line without tests of its own (the second line of an expression, a constant of a module) has
    those of the nearest line before it that has some.
    """
    found = table["lines"].get(path, {})
    for nearest in range(line, max(line - 40, 0), -1):
        numbers = found.get(str(nearest), [])
        if numbers:
            break
    else:
        numbers = sorted({number for each in found.values() for number in each})
    chosen: list[str] = []
    total = 0.0
    seen: Counter[str] = Counter()
    order: list[tuple[bool, float, int]] = []
    for number in sorted(numbers, key=lambda one: float(table["seconds"][one])):
        function = table["tests"][number].partition("[")[0]
        seen[function] += 1
        order.append((seen[function] > 2, float(table["seconds"][number]), number))
    for _, _, number in sorted(order):
        total += table["seconds"][number]
        if chosen and total > most_seconds:
            break
        chosen.append(table["tests"][number])
    return chosen


def _key(test: str) -> tuple[str, str]:
    path, _, rest = test.partition("::")
    return path.removesuffix(".py").replace("/", "."), rest.split("::")[-1]


def _seconds(path: Path) -> dict[tuple[str, str], float]:
    cases = ElementTree.parse(path).iter("testcase")  # noqa: S314
    return {(c.get("classname", ""), c.get("name", "")): float(c.get("time", 1.0)) for c in cases}
