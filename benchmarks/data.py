"""Simulated datasets on disk, as DIALS files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np

from calib.files.dials.dataset_write import write_dataset
from calib.model.detector.families import known_layout
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Crystal
from calib.model.experiment.pose import facing_pose
from calib.model.experiment.reflections import Reflections
from calib.simulate.plans import SEED_SIZE, SEED_SIZE_MM
from calib.simulate.scan import SimulatedScan, simulated_scan
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import random_correction

SERIAL = "60-0999"
OF_A_SCAN = 20_000
"""Reflections of each scan of a series."""
OF_A_STILL = 100
"""Reflections of each still of a series."""
_STILLS_MM = 150.0
_STILL_CRYSTALS, _STILL_ROTATION_RAD, _STILL_NOISE_PX = 250, 3e-4, 0.3
"""Crystals that the stills of a series share; each still has its own noise and a random rotation of
its crystal."""
_CRYSTALS = 5
"""Orientations that the scans of a series share, each scan with its own noise: predicting the
reflections takes longer than adding noise to them."""
_TEMPLATE = "scan_{imageset}_#####.cbf"


def seed_size_files(folder: Path, n_reflections: int) -> tuple[Path, Path]:
    """The seed-size dataset with that number of reflections: its ``.expt`` and ``.refl``."""
    scan, _ = _scan(np.random.default_rng(1), n_reflections, f"seed_{n_reflections}")
    return write_dataset(scan.dataset, folder, imageset_template=_TEMPLATE)


def scans_files(n_reflections: int, folder: Path) -> list[Path]:
    """Write that number of reflections as scans of 20 000 each, or as one shorter scan."""
    size = min(n_reflections, OF_A_SCAN)
    count = n_reflections // size
    rng = np.random.default_rng(2)
    scans = [_scan(rng, size, "", noise=False) for _ in range(min(_CRYSTALS, count))]
    out: list[Path] = []
    for number in range(count):
        scan, layout = scans[number % len(scans)]
        name = f"scans_{n_reflections}_{number:04d}"
        out += _with_new_noise(rng, scan, layout, name, folder)
    return out


def stills_files(n_reflections: int, folder: Path) -> list[Path]:
    """Write that number of reflections as stills of 100 each in one pair of files."""
    rng, layout = np.random.default_rng(3), known_layout("PILATUS 6M")
    truth = random_correction(np.random.default_rng(1), layout)
    n = n_reflections // OF_A_STILL
    plan = StillsPlan(min(n, _STILL_CRYSTALS), OF_A_STILL, noise_px=1e-9)
    pose = facing_pose(layout, _STILLS_MM, beam_centre_mm=(1.5, -2.0))
    made = simulated_stills(rng, layout, truth, pose, plan, f"stills_{n_reflections}")
    table, models = made.dataset.reflections, made.dataset.experiments
    which = np.arange(n) % plan.n_crystals
    rows = np.resize(np.arange(len(table)), n_reflections)
    pixel_mm = np.array([panel.pixel_mm for panel in layout.panels])[table.panel[rows]]
    centroid_mm, variance_mm = table.centroid_mm[rows], table.variance_mm[rows]
    sigma_mm = _STILL_NOISE_PX * pixel_mm
    centroid_mm[:, :2] += rng.normal(size=sigma_mm.shape) * sigma_mm
    variance_mm[:, :2] = sigma_mm**2
    rotations = rotation_from_vector(rng.normal(size=(n, 3)) * _STILL_ROTATION_RAD)
    crystals = tuple(
        Crystal(models.crystals[k].real_space @ rotation.T, models.crystals[k].hall_symbol)
        for k, rotation in zip(which.tolist(), rotations, strict=True)
    )
    entry = models.experiments[0]
    entries = tuple(
        replace(entry, identifier=str(UUID(bytes=rng.bytes(16), version=4)), crystal=k)
        for k in range(n)
    )
    many = replace(
        made.dataset,
        experiments=replace(models, experiments=entries, crystals=crystals),
        reflections=Reflections(
            np.repeat(np.arange(n), OF_A_STILL),
            table.panel[rows],
            table.miller_index[rows],
            centroid_mm,
            variance_mm,
            table.flags[rows],
        ),
    )
    return list(write_dataset(many, folder))


def _scan(
    rng: np.random.Generator, n_reflections: int, name: str, *, noise: bool = True
) -> tuple[SimulatedScan, Layout]:
    layout = known_layout("PILATUS 6M")
    plan = replace(
        SEED_SIZE, n_reflections=n_reflections, panel_identifier=f"PILATUS3 6M, S/N {SERIAL}"
    )
    if not noise:
        plan = replace(plan, outlier_share=0.0, noise_px=1e-9, noise_phi_images=1e-9)
    pose = facing_pose(layout, SEED_SIZE_MM, beam_centre_mm=(1.5, -2.0))
    truth = random_correction(np.random.default_rng(1), layout)
    return simulated_scan(rng, layout, truth, pose, plan, name), layout


def _with_new_noise(
    rng: np.random.Generator, scan: SimulatedScan, layout: Layout, name: str, folder: Path
) -> tuple[Path, Path]:
    """The same scan with new noise and 3 % outliers."""
    dataset, plan = scan.dataset, SEED_SIZE
    table = dataset.reflections
    pixel_mm = np.array([panel.pixel_mm for panel in layout.panels])[table.panel]
    phi_rad = np.full((len(table), 1), plan.noise_phi_images * plan.image_rad)
    sigma = np.concatenate([plan.noise_px * pixel_mm, phi_rad], axis=1)
    noise = rng.normal(size=sigma.shape) * sigma
    outlier = rng.random(len(table)) < plan.outlier_share
    noise[outlier] *= plan.outlier_px / plan.noise_px
    identifier = str(UUID(bytes=rng.bytes(16), version=4))
    entries = tuple(replace(e, identifier=identifier) for e in dataset.experiments.experiments)
    again = replace(
        dataset,
        name=name,
        experiments=replace(dataset.experiments, experiments=entries),
        reflections=replace(table, centroid_mm=table.centroid_mm + noise, variance_mm=sigma**2),
    )
    return write_dataset(again, folder, imageset_template=_TEMPLATE)
