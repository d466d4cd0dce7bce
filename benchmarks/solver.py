"""Benchmark of the solver: calib, dials.refine and scipy on the same files, and scaling."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.data import seed_size_files
from benchmarks.measure import Cost, cost_of
from benchmarks.series import SERIES, SIZES, scaling
from benchmarks.store_filled import CACHE

SEED_SIZE = 190_000
SMALL = 20_000
TINY = 2_000
"""A size that scipy solves in minutes: its steps take one evaluation per parameter."""
_HEAD = ["| what | reflections | wall s | CPU s | peak MB |", "|---|---|---|---|---|"]


def derive_cost(files: Sequence[Path], folder: Path, *words: str) -> Cost:
    """``calib derive`` with all six parameters, from files to a stored calibration."""
    store = folder / "bench.db"
    for left in folder.glob("bench.db*"):
        left.unlink()
    calib = str(Path(sys.executable).with_name("calib"))
    cost_of([calib, "init", "--store", str(store)], folder)
    command = [calib, "derive", *map(str, files), "--freedom", "full", "--store", str(store)]
    return cost_of([*command, *words, "--json"], folder, fine=(0, 1))


def dials_cost(files: Sequence[Path], folder: Path, *, tuned: bool) -> Cost | None:
    """``dials.refine`` with each panel refined separately; None if DIALS is not installed."""
    program = shutil.which("dials.refine")
    if program is None:
        return None
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    # Without auto_reduction it stops at the first panel with too few reflections.
    options = ["hierarchy_level=1", "scan_varying=False", "auto_reduction.action=fix"]
    if tuned:
        options += [
            "engine=GaussNewton",
            "sparse=True",
            "outlier.algorithm=tukey",
            "separate_panels=True",
        ]
    return cost_of([program, *map(str, files), *options], folder, environment)


def section(*, full: bool, most: int = SIZES[-1], cache: Path = CACHE) -> list[str]:
    """Run the benchmark, with series up to ``most`` reflections; returns lines of Markdown."""
    with tempfile.TemporaryDirectory() as name:
        lines = [
            "Whole processes, from files to a stored calibration, with held-out residuals and "
            "half-dataset agreement, run one after the other in one session.",
            "",
            *_side_by_side(Path(name), SEED_SIZE if full else SMALL),
        ]
        for series in SERIES:
            costs = scaling(
                series, most, cache, lambda files, words: derive_cost(files, Path(name), *words)
            )
            lines += [
                "",
                f"Scaling: {series.what}; 60 panels, 60 x 6 shared parameters.",
                "",
                *costs,
            ]
        return lines


def _side_by_side(folder: Path, n_dials: int) -> list[str]:
    sizes = sorted({SEED_SIZE, TINY, n_dials})
    files = {n: seed_size_files(folder, n) for n in sizes}
    rows, ratios = list(_HEAD), []
    own = {n: derive_cost(files[n], folder) for n in sizes}
    for n, cost in own.items():
        rows.append(_row("calib derive --freedom full", n, cost))
    runs: list[tuple[str, int, Callable[[], Cost | None]]] = [
        ("dials.refine hierarchy_level=1, the engine that it picks", n_dials,
         lambda: dials_cost(files[n_dials], folder, tuned=False)),
        ("dials.refine, GaussNewton, sparse, outliers per panel", n_dials,
         lambda: dials_cost(files[n_dials], folder, tuned=True)),
        ("scipy least_squares on the same residuals", TINY,
         lambda: cost_of([sys.executable, "-m", "benchmarks.least_squares",
                          *map(str, files[TINY])], folder,
                         {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])})),
    ]  # fmt: skip
    for what, n, run in runs:
        theirs = run()
        if theirs is not None:
            rows.append(_row(what, n, theirs))
            ratios.append(f"- {what}: {theirs.cpu_s / own[n].cpu_s:.0f} x the CPU of calib.")
    return [*rows, "", *ratios]


def _row(what: str, n: int, cost: Cost) -> str:
    row = f"| {what} | {n} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.peak_mb:.0f} |"
    print(row, flush=True)
    return row
