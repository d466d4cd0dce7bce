"""Simulated datasets written to a folder, some of their columns or models changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from calib.errors import CalibError
from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.pairing import load_datasets
from calib.files.dials.refl import Column, Table, table_bytes
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion
from calib.model.experiment.dataset import Dataset
from calib.simulate.scan import ScanPlan, simulated_scan

TOGETHER = "Try: give the .expt and .refl files that were written together."
POSE = RigidMotion(np.diag([1.0, -1.0, -1.0]), np.array([-126.0, 144.0, -200.0]))


def simulated(seed: int, cell: tuple[float, float, float], name: str) -> Dataset:
    plan = ScanPlan(
        n_reflections=300,
        range_rad=0.5,
        cell_angstrom=cell,
        epoch=1.5e9 + seed,
        sensor_mm=0.32,
        panel_identifier="PILATUS 2M, S/N 24-0107",
    )
    layout = known_layout("PILATUS 2M")
    rng = np.random.default_rng(seed)
    return simulated_scan(rng, layout, Correction.none(len(layout)), POSE, plan, name).dataset


class Folder:
    """A folder in which datasets are saved, as they are or changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def expt(
        self, dataset: Dataset, change: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> Path:
        content = json.loads(experiments_bytes(dataset.experiments))
        change(content)
        path = self.path / f"{dataset.name}.expt"
        path.write_text(json.dumps(content))
        return path

    def refl(
        self,
        dataset: Dataset,
        *,
        identifiers: dict[int, str] | None = None,
        drop: tuple[str, ...] = (),
        changes: dict[str, NDArray[Any]] | None = None,
        **columns: NDArray[Any],
    ) -> Path:
        table = dataset_table(dataset)
        columns |= changes or {}
        changed = {
            name: Column(c.typename, columns.get(name, c.values))
            for name, c in table.columns.items()
            if name not in drop
        }
        path = self.path / f"{dataset.name}.refl"
        named = table.identifiers if identifiers is None else identifiers
        path.write_bytes(table_bytes(Table(table.nrows, named, changed)))
        return path


def nameless(content: dict[str, Any]) -> None:
    for entry in content["experiment"]:
        entry["identifier"] = ""


def refused(paths: list[Path], code: str) -> str:
    with pytest.raises(CalibError) as caught:
        load_datasets(paths)
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)
