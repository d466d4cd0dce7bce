"""Simulated data on disk, as a person would have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from calib.files.dataset_write import write_dataset
from calib.model.families import known_layout
from calib.model.pose import facing_pose
from calib.simulate.plans import SEED_SIZE, SEED_SIZE_MM
from calib.simulate.scan import simulated_scan
from calib.simulate.truth import drawn_correction

SERIAL = "60-0999"


def seed_size_files(folder: Path, n_reflections: int) -> tuple[Path, Path]:
    """The seed-size set with so many reflections: its ``.expt`` and ``.refl``."""
    rng = np.random.default_rng(1)
    layout = known_layout("PILATUS 6M")
    plan = replace(
        SEED_SIZE, n_reflections=n_reflections, panel_identifier=f"PILATUS3 6M, S/N {SERIAL}"
    )
    pose = facing_pose(layout, SEED_SIZE_MM, beam_centre_mm=(1.5, -2.0))
    truth = drawn_correction(rng, layout)
    scan = simulated_scan(rng, layout, truth, pose, plan, f"seed_{n_reflections}")
    return write_dataset(scan.dataset, folder, imageset_template="scan_{imageset}_#####.cbf")
