"""``make bench``: measure time and memory and write them to ``benchmarks/results.md``.

``python -m benchmarks --full`` also runs dials.refine on the whole seed-size set (half an hour);
``--only PART`` runs one part and keeps the sections of the others; ``--most N`` limits the series
of derivations to N reflections. Generated data are kept in ``~/.cache/calib-bench``.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import combine, identify, solver, store
from benchmarks.results import write_section
from benchmarks.series import SIZES

PARTS = ("solver", "combine", "store", "identify")


def main() -> None:
    """Run the benchmarks, print the results and write them to ``results.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="dials.refine on the whole set too")
    parser.add_argument("--only", choices=PARTS, help="one part only")
    parser.add_argument(
        "--most", type=int, default=SIZES[-1], help="reflections of the largest derivation"
    )
    parser.add_argument(
        "--calibrations", type=int, default=store.CALIBRATIONS, help="calibrations in the store"
    )
    arguments = parser.parse_args()
    command = " ".join(
        ["make bench", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])]
    )
    if arguments.only in (None, "solver"):
        write_section("solver", command, solver.section(full=arguments.full, most=arguments.most))
    if arguments.only in (None, "combine"):
        write_section("combine", command, combine.section())
    if arguments.only in (None, "store"):
        write_section("store", command, store.section(arguments.calibrations))
    if arguments.only in (None, "identify"):
        write_section("identify", command, identify.section())


if __name__ == "__main__":
    main()
