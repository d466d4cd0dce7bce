"""``make bench``: time and memory, side by side in one run, kept in ``benchmarks/results.md``.

``python -m benchmarks --full`` gives dials.refine the whole seed-size set too (half an hour);
``--only PART`` runs one part and leaves the sections of the others as they are; ``--most N`` ends
the series of ever larger derivations there. What they read is kept in ``~/.cache/calib-bench``.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import combine, solver, store
from benchmarks.results import write_section
from benchmarks.series import SIZES

PARTS = ("solver", "combine", "store")


def main() -> None:
    """Run the parts, print what they find, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="dials.refine on the whole set too")
    parser.add_argument("--only", choices=PARTS, help="one part only")
    parser.add_argument(
        "--most", type=int, default=SIZES[-1], help="reflections of the largest derivation"
    )
    parser.add_argument(
        "--calibrations", type=int, default=store.CALIBRATIONS, help="in the store that is asked"
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


if __name__ == "__main__":
    main()
