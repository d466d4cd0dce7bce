"""``make bench``: calib against dials.refine on the same files, and how calib scales.

``python -m benchmarks --full`` gives dials.refine the whole seed-size set too (half an hour).
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.data import seed_size_files
from benchmarks.measure import Cost, cost_of

SEED_SIZE = 190_000
SMALL = 20_000
SCALING = (20_000, 100_000, 190_000)


def derive_cost(files: tuple[Path, Path], folder: Path) -> Cost:
    """``calib derive`` with all six parameters, from files to a stored calibration."""
    store = folder / "bench.db"
    store.unlink(missing_ok=True)
    calib = str(Path(sys.executable).with_name("calib"))
    cost_of([calib, "init", "--store", str(store)], folder)
    command = [calib, "derive", *map(str, files), "--freedom", "full", "--store", str(store)]
    return cost_of([*command, "--json"], folder, fine=(0, 1))


def dials_cost(files: tuple[Path, Path], folder: Path, *, tuned: bool) -> Cost | None:
    """``dials.refine`` of every panel by itself; None where DIALS is not installed."""
    program = shutil.which("dials.refine")
    if program is None:
        return None
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    # Without the last one it ends at the first panel with too few reflections.
    options = ["hierarchy_level=1", "scan_varying=False", "auto_reduction.action=fix"]
    if tuned:
        options += [
            "engine=GaussNewton",
            "sparse=True",
            "outlier.algorithm=tukey",
            "separate_panels=True",
        ]
    return cost_of([program, *map(str, files), *options], folder, environment)


def main() -> None:
    """Run everything, print it, and keep it in ``benchmarks/results.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="dials.refine on the whole set too")
    full = parser.parse_args().full
    rows = ["| what | reflections | wall s | CPU s | peak MB |", "|---|---|---|---|---|"]

    def note(what: str, n: int, cost: Cost) -> None:
        rows.append(f"| {what} | {n} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.peak_mb:.0f} |")
        print(rows[-1], flush=True)

    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {n: seed_size_files(folder, n) for n in SCALING}
        own = {n: derive_cost(files[n], folder) for n in SCALING}
        for n, cost in own.items():
            note("calib derive --freedom full", n, cost)
        n = SEED_SIZE if full else SMALL
        for tuned, what in ((False, "its own choice of engine"), (True, "GaussNewton, sparse")):
            theirs = dials_cost(files[n], folder, tuned=tuned)
            if theirs is not None:
                note(f"dials.refine hierarchy_level=1, {what}", n, theirs)
                times = theirs.cpu_s / own[n].cpu_s
                ratios.append(f"- dials.refine ({what}), {n} reflections: {times:.0f} x the CPU.")
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            f"`make bench{' ARGS=--full' if full else ''}` on {_machine()}. Whole processes, from "
            "files to a stored calibration with held-out residuals and halves included.",
            "",
            *rows,
            "",
            *ratios,
            "",
        ]
    )
    (Path(__file__).parent / "results.md").write_text(text, encoding="utf-8")
    print(text)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"a {platform.machine()} machine with {os.cpu_count()} cores and {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
