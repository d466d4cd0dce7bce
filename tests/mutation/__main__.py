"""Mutation testing of the areas where a wrong answer would do most harm.

``python -m mutation map`` (in ``tests/``) runs the tests once under coverage and notes which test
runs which line. ``python -m mutation run AREA`` draws mutants of an area, runs for each the tests
that reach its line, fastest first, and lists the survivors.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from mutation.coverage_map import SELECTED, made_map, tests_of_line
from mutation.forked import changes_of, judge_loaded
from mutation.operators import Mutant, mutants
from mutation.runner import Outcome, judge_all, without_fault

ROOT = Path(__file__).parents[2]
AREAS = {
    "solve": ["calib/solve"],
    "resolve": ["calib/store/resolve"],
    "log": ["calib/store/log"],
    "model-store": ["calib/model/store"],
    "report": ["calib/report"],
}


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("command", choices=["map", "run"])
    parser.add_argument("area", nargs="?", choices=list(AREAS))
    parser.add_argument("--tests", nargs="*", default=(), help="for the map: not all tests")
    parser.add_argument("--map", type=Path, default=Path("/tmp/calib-mutation.json"))  # noqa: S108
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests for each mutant")
    parser.add_argument("--output", type=Path, help="survivors and figures as JSON")
    options = parser.parse_args()
    if options.command == "map":
        options.map.write_text(json.dumps(made_map(ROOT, options.tests)))
        return 0
    found = [
        one
        for folder in AREAS[options.area]
        for path in sorted((ROOT / folder).rglob("*.py"))
        for one in mutants(str(path.relative_to(ROOT)), path.read_bytes())
    ]
    drawn = random.Random(options.seed).sample(found, min(options.sample, len(found)))  # noqa: S311
    table = json.loads(options.map.read_text())
    work = [(one, tests_of_line(table, one.path, one.line, options.seconds)) for one in drawn]
    controls = [(without_fault(one.path), tests) for one, tests in work[::20]]
    in_functions = [one for one in work if changes_of(ROOT, one[0]) is not None]
    on_import = [one for one in work if changes_of(ROOT, one[0]) is None]
    first = judge_all(ROOT, on_import, options.jobs, options.seconds)
    # Last, since this loads the code under test.
    then = judge_loaded(ROOT, [*controls, *in_functions], options.jobs, options.seconds, SELECTED)
    sound, outcomes = then[: len(controls)], [*first, *then[len(controls) :]]
    if broken := [one.path for one, outcome in sound if outcome.verdict == "killed"]:
        sys.stderr.write(f"without any fault tests of these fail: {broken}\n")
        return 1
    return _report(options.area, len(found), outcomes, options.output)


def _report(area: str, n_all: int, outcomes: list[tuple[Mutant, Outcome]], out: Path | None) -> int:
    counts = Counter(outcome.verdict for _, outcome in outcomes)
    survivors = [
        {"place": f"{one.path}:{one.line}", "operator": one.operator, "new": one.new,
         "old": (ROOT / one.path).read_bytes()[one.start : one.end].decode(),
         "verdict": outcome.verdict, "tests": outcome.n_tests}
        for one, outcome in outcomes
        if outcome.verdict not in ("killed", "timeout")
    ]  # fmt: skip
    killed = counts["killed"] + counts["timeout"]
    figures = {
        "area": area,
        "mutants": n_all,
        "drawn": len(outcomes),
        **counts,
        "killed_all": killed,
    }
    for one in survivors:
        sys.stdout.write(f"{one['place']}: {one['old']!r} -> {one['new']!r} ({one['verdict']})\n")
    sys.stdout.write(f"{json.dumps(figures)}\n")
    if out is not None:
        out.write_text(json.dumps({"figures": figures, "survivors": survivors}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
