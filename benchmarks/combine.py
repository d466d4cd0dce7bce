"""Forty stored datasets of a detector of sixty panels, combined as one command."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.measure import Cost, cost_of
from calib.files.dataset_write import write_dataset
from calib.files.summary import summary_bytes, summary_from_bytes
from calib.flows.derive import DeriveRequest, derive
from calib.model.families import known_layout
from calib.model.pose import facing_pose
from calib.model.record import Deed
from calib.model.summary import Summary
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import drawn_correction
from calib.solve.options import Crystals
from calib.store.store import Store

DATASETS = 40
_REFLECTIONS = 20_000
_DISTANCES_MM = (150.0, 400.0)


def section() -> list[str]:
    """What it costs, as a section of the results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mean_kb = _prepare(folder)
        command = [sys.executable, "-m", "calib_cli", "combine", "*", "--store", "calib.sqlite"]
        files = sorted(str(path) for path in folder.glob("*.calib.h5"))
        command[4:5] = files
        cost_of(command, folder, fine=(0, 1))
        stored = [*command[:4], "24-0107:2", *command[-2:], "--without", "night01"]
        costs = [cost_of(stored, folder, fine=(0, 1)) for _ in range(3)]
    best = min(costs, key=lambda cost: cost.wall_s)
    return [_told(best, mean_kb)]


def _prepare(folder: Path) -> float:
    """Two derived datasets in a store, and forty summaries like theirs as files; their mean size
    in kB."""
    layout = known_layout("PILATUS 6M")
    rng = np.random.default_rng(1)
    truth = drawn_correction(rng, layout)
    paths: list[Path] = []
    for number, distance in enumerate(_DISTANCES_MM):
        plan = ScanPlan(
            n_reflections=_REFLECTIONS, panel_identifier="PILATUS 6M, S/N 24-0107", epoch=0.0
        )
        pose = facing_pose(layout, distance, beam_centre_mm=(1.0, 2.0))
        scan = simulated_scan(rng, layout, truth, pose, plan, f"night{number}")
        paths += write_dataset(scan.dataset, folder)
    Store.create(folder / "calib.sqlite")
    sizes = []
    with Store.open(folder / "calib.sqlite") as store:
        deed = Deed(datetime.now(UTC), "benchmark", "here")
        request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC)
        stored = derive(request, store, deed).stored
        assert stored is not None
        made = [
            summary_from_bytes(file.content, "store")
            for file in store.summaries(stored)
            if file is not None
        ]
    for number in range(DATASETS):
        content = summary_bytes(_like(made[number % len(made)], number))
        (folder / f"night{number:02}.calib.h5").write_bytes(content)
        sizes.append(len(content))
    return float(np.mean(sizes)) / 1e3


def _like(summary: Summary, number: int) -> Summary:
    """Another dataset with the same equations."""
    said = summary.statement
    use = replace(said.use, name=f"night{number:02}", sha256=(f"{number:064x}",))
    return replace(summary, statement=replace(said, use=use))


def _told(cost: Cost, mean_kb: float) -> str:
    return (
        f"`calib combine` of {DATASETS} stored datasets less one, 60 panels x 6, the whole command "
        f"with its report and influences, the best of three: {cost.wall_s:.2f} s, "
        f"{cost.cpu_s:.2f} CPU s, {cost.peak_mb:.0f} MB. A summary takes {mean_kb:.0f} kB."
    )
