"""A small detector of three panels, measured with known truth, as files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calib.files.dials.dataset_write import write_dataset
from calib.files.dials.expt_write import experiments_bytes
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import ExperimentList
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import random_correction

SERIAL = "24-0107"
DETECTOR = "PILATUS 300K"
IDENTIFIER = f"{DETECTOR}, S/N {SERIAL}"
LAYOUT = known_layout(DETECTOR)
TRUTH: Correction = random_correction(np.random.default_rng(20260301), LAYOUT)
NIGHT_1 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
NIGHT_2 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


def measured(
    name: str,
    distance_mm: float,
    taken: datetime | None,
    *,
    seed: int,
    n_reflections: int = 4000,
    identifier: str = IDENTIFIER,
    layout_name: str = DETECTOR,
    truth: Correction | None = None,
) -> Dataset:
    """One crystal's scan."""
    layout = known_layout(layout_name)
    if truth is None:
        truth = TRUTH if layout_name == DETECTOR else Correction.none(len(layout))
    plan = ScanPlan(
        n_reflections=n_reflections,
        image_rad=np.radians(0.5),
        epoch=None if taken is None else taken.timestamp(),
        panel_identifier=identifier,
    )
    pose = facing_pose(layout, distance_mm, beam_centre_mm=(2.0, -3.0))
    rng = np.random.default_rng(seed)
    return simulated_scan(rng, layout, truth, pose, plan, name).dataset


def write_imported(dataset: Dataset, path: Path) -> None:
    """The experiment list as it is before indexing: no crystal, no reflections."""
    models = dataset.experiments
    bare = ExperimentList(
        experiments=tuple(replace(entry, crystal=None) for entry in models.experiments),
        beams=models.beams,
        detectors=models.detectors,
        goniometers=models.goniometers,
        scans=models.scans,
        crystals=(),
    )
    path.write_bytes(experiments_bytes(bare))


LAMBDA = """
format = "calib/family/1"
family = "LAMBDA"
module_px = [256, 200]
gap_px = [4, 6]
pixel_mm = 0.055
[models]
"LAMBDA 2M" = [6, 3]
"LAMBDA L" = { origins_px = [[0, 0], [300, 0], [0, 250]] }
[regions."LAMBDA 2M middle"]
of = "LAMBDA 2M"
mode = "middle"
first = [2, 1]
grid = [2, 1]
"""
"""A file of layouts."""


def write_story(folder: Path) -> None:
    """Two metrology datasets, and two experiments to be corrected."""
    folder.mkdir(parents=True)
    write_dataset(measured("night1", 150.0, NIGHT_1, seed=1), folder)
    write_dataset(measured("night2", 265.0, NIGHT_2, seed=2), folder)
    indexed = measured("indexed", 200.0, LATER, seed=3)
    write_dataset(indexed, folder)
    write_imported(indexed, folder / "imported.expt")
    (folder / "lambda.toml").write_text(LAMBDA)
