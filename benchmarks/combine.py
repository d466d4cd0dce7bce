"""Benchmark of ``calib combine`` on forty stored datasets of a detector of sixty panels."""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measure import Cost, cost_of
from calib.files.dials.dataset_write import write_dataset
from calib.files.native.summary import SUFFIX, summary_bytes, summary_from_bytes
from calib.flows.derive import DeriveRequest, derive
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.model.result.summary import Summary
from calib.model.store.record import ChangeStamp
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.options import Crystals
from calib.store.store import Store

DATASETS = 40
_REFLECTIONS = 20_000
_DISTANCES_MM = (150.0, 400.0)
_REPEATS = 8
_NEW = "new"
_LOAD = "import calib_cli.main, calib.flows.combine, calib.report.calibration.stored\n"
"""The imports of the command."""
_READ = """
from calib.flows.shared.summaries import kept_summaries
from calib.config.location import Location
from calib.store.store import Store
with Store.open(Location.parse("calib.sqlite"), read_only=True) as store:
    assert kept_summaries(store, store.calibrations.get("24-0107:2"))
"""


def section() -> list[str]:
    """Run the benchmark; returns lines of Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In another process: the measured peak of a child is at least that of its parent.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            mean_kb = pool.submit(_prepare, folder).result()
        files = sorted(str(path) for path in folder.glob(f"*{SUFFIX}"))
        cost_of(_calib("combine", *files), folder, fine=(0, 1))
        new = [_NEW + suffix for suffix in (".expt", ".refl")]
        whole, loaded, read, added, alone = _best_of_each(
            [
                _calib("combine", "24-0107:2", "--without", "night01"),
                [sys.executable, "-c", _LOAD],
                [sys.executable, "-c", _LOAD + _READ],
                _calib("derive", *new, "--add", "--onto", "24-0107:2", "--dry-run"),
                _calib("derive", *new, "--dry-run"),
            ],
            folder,
        )
    return [_text(whole, loaded, read, mean_kb), _added_text(added, alone)]


def _calib(*words: str) -> list[str]:
    return [sys.executable, "-m", "calib_cli", *words, "--store", "calib.sqlite"]


def _best_of_each(commands: list[list[str]], folder: Path) -> list[Cost]:
    """Run the commands in turn, so that a slow phase of the machine affects all of them."""
    rounds = [
        [cost_of(command, folder, fine=(0, 1)) for command in commands] for _ in range(1 + _REPEATS)
    ]
    return [min(costs, key=lambda cost: cost.cpu_s) for costs in zip(*rounds[1:], strict=True)]


def _prepare(folder: Path) -> float:
    """Write a store with two derived datasets and forty summary files like theirs.

    Returns the mean size of a summary in kB.
    """
    layout = known_layout("PILATUS 6M")
    rng = np.random.default_rng(1)
    truth = random_correction(rng, layout)
    paths: list[Path] = []
    for number, distance in enumerate(_DISTANCES_MM):
        plan = ScanPlan(
            n_reflections=_REFLECTIONS, panel_identifier="PILATUS 6M, S/N 24-0107", epoch=0.0
        )
        pose = facing_pose(layout, distance, beam_centre_mm=(1.0, 2.0))
        scan = simulated_scan(rng, layout, truth, pose, plan, f"night{number}")
        paths += write_dataset(scan.dataset, folder)
    pose = facing_pose(layout, 250.0, beam_centre_mm=(1.0, 2.0))
    write_dataset(simulated_scan(rng, layout, truth, pose, plan, _NEW).dataset, folder)
    Store.create(folder / "calib.sqlite")
    sizes = []
    with Store.open(folder / "calib.sqlite") as store:
        stamp = ChangeStamp(datetime.now(UTC), "benchmark", "here")
        request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC)
        stored = derive(request, store, stamp).stored
        assert stored is not None
        made = [
            summary_from_bytes(file.content, "store")
            for file in store.summaries.read(stored)
            if file is not None
        ]
    for number in range(DATASETS):
        content = summary_bytes(_like(made[number % len(made)], number))
        (folder / f"night{number:02}{SUFFIX}").write_bytes(content)
        sizes.append(len(content))
    return float(np.mean(sizes)) / 1e3


def _like(summary: Summary, number: int) -> Summary:
    """A summary with the same equations under the name of another dataset."""
    statement = summary.statement
    use = replace(statement.use, name=f"night{number:02}", sha256=(f"{number:064x}",))
    point = Correction(statement.point.values + 1e-6 * number)
    return replace(summary, statement=replace(statement, use=use, point=point))


def _text(whole: Cost, loaded: Cost, read: Cost, mean_kb: float) -> str:
    parts = (loaded.cpu_s, read.cpu_s - loaded.cpu_s, whole.cpu_s - read.cpu_s)
    start, reading, rest = (f"{seconds:.2f}" for seconds in parts)
    return (
        f"`calib combine` of {DATASETS} stored datasets less one, 60 panels x 6, the whole command "
        f"with its report and influences, best of {_REPEATS}: {whole.wall_s:.2f} s, "
        f"{whole.cpu_s:.2f} CPU s, {whole.peak_mb:.0f} MB. CPU time: {start} s to start Python "
        f"and load modules, {reading} s to read and verify the summaries ({mean_kb:.0f} kB each), "
        f"{rest} s to solve, test, store and report."
    )


def _added_text(added: Cost, alone: Cost) -> str:
    return (
        f"`calib derive --add` of a dataset of {_REFLECTIONS} reflections to these {DATASETS}: "
        f"{added.wall_s:.2f} s, {added.cpu_s:.2f} CPU s; the dataset alone: "
        f"{alone.wall_s:.2f} s, {alone.cpu_s:.2f} CPU s."
    )
