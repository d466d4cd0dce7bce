"""``make truth``: simulate derivations, compare them with the truth, and write the table.

``--only WORDS`` runs the cases whose names contain all words, ``--limit N`` at most N of them,
``--rows`` the table of known failures instead of the campaign, ``--list`` names them only.
Results of other cases that the output folder has are kept. Ends with 1 if a case failed silently.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.truth.cases import CASES, ROWS, chosen
from benchmarks.truth.outcome import Outcome, Verdict
from benchmarks.truth.run import run_all
from benchmarks.truth.table import merged, write


def main() -> int:
    """Run the chosen cases, print each as it ends, and write the table after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="words in the name")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N, evenly spread")
    parser.add_argument("--rows", action="store_true", help="the table of known failures")
    parser.add_argument("--list", action="store_true", help="print the names, run nothing")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--output", type=Path, default=Path("build/truth"), metavar="FOLDER")
    arguments = parser.parse_args()
    cases = chosen(ROWS if arguments.rows else CASES, tuple(arguments.only), arguments.limit)
    if arguments.list:
        print("\n".join(case.name for case in cases))
        return 0
    done: list[Outcome] = []
    for outcome in run_all(cases, arguments.processes):
        done.append(outcome)
        write(arguments.output, merged(arguments.output / "truth.json", done))
        print(
            f"{len(done)}/{len(cases)} {outcome.verdict}: {outcome.name}: "
            f"{outcome.in_plane_um:.1f}/{outcome.normal_um:.1f}/{outcome.seen_um:.1f} um, "
            f"{outcome.sigmas:.1f} sigma, {outcome.seconds:.0f} s",
            flush=True,
        )
    return int(any(outcome.verdict == Verdict.SILENT for outcome in done))


if __name__ == "__main__":
    sys.exit(main())
