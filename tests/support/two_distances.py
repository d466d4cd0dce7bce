"""Scans of one detector at two distances, solved, and what to compare in the solutions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.frames import RigidMotion, fit_rigid, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Crystal
from calib.solve.panels.solution import Solution
from support.forward import with_models
from support.scenes import (
    options,
    simulation,
    solution,
)

ONE_MICROMETRE_MM = 1e-3
TENTH_OF_A_MILLIMETRE = 0.1
"""The panels' own mean shift along the normal is part of the distance."""
SETTLED_SIGMA = 0.05
"""Two converged iterations agree to better: each stops when a step is below 0.02."""


def corners_of(layout: Layout, correction: Correction) -> Floats:
    return np.asarray(correction.frames(layout).points(layout.corners_panel_mm()).reshape(-1, 3))


def shape_difference_mm(layout: Layout, one: Correction, other: Correction) -> float:
    """The farthest distance of two detectors' corners after the rigid motion that fits best."""
    here, there = corners_of(layout, one), corners_of(layout, other)
    aligned = fit_rigid(here, there, np.ones(len(here))).points(here)
    return float(np.linalg.norm(aligned - there, axis=1).max())


def in_sigma(found: Solution, other: Solution) -> float:
    """The largest difference of two solutions in standard deviations."""
    free = list(found.estimate.freedom.free)
    difference = found.estimate.correction.values - other.estimate.correction.values
    return float(np.abs(difference[:, free] / found.estimate.sigma[:, free]).max())


def starting_at(dataset: Dataset, pose: RigidMotion, layout: Layout) -> Dataset:
    """The same data with another pose in the file."""
    (detector,) = dataset.experiments.detectors
    moved = replace(detector, frames=layout.frames.moved(pose), lab_from_root=pose)
    return with_models(dataset, replace(dataset.experiments, detectors=(moved,)))


def turned_crystal(dataset: Dataset, turn_rad: Floats, swelling: float) -> Dataset:
    """The same data with the crystal elsewhere in the file."""
    (crystal,) = dataset.experiments.crystals
    turn = rotation_from_vector(turn_rad)
    other = Crystal(crystal.real_space * (1.0 + swelling) @ turn.T, crystal.hall_symbol)
    return with_models(dataset, replace(dataset.experiments, crystals=(other,)))


def away_from_the_spindle(dataset: Dataset) -> Dataset:
    """Without the reflections that one start leaves in and another one out."""
    table, frames = dataset.reflections, dataset.detector.frames
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], table.centroid_mm[:, :2])
    lab += frames.origin_mm[table.panel]
    return replace(
        dataset,
        reflections=table.where(np.abs(lab[:, 1]) > 0.05 * np.linalg.norm(lab, axis=1)),
    )


@cache
def near_and_far() -> tuple[Layout, Correction, Dataset, Dataset]:
    layout, truth, near = simulation(seed=1, distance_mm=150.0)
    _, _, far = simulation(seed=2, distance_mm=400.0)
    return layout, truth, away_from_the_spindle(near.dataset), away_from_the_spindle(far.dataset)


@cache
def both_distances() -> Solution:
    layout, _, near, far = near_and_far()
    return solution([near, far], layout, options())


@cache
def near_alone(freedom: Freedom) -> Solution:
    layout, _, near, _ = near_and_far()
    return solution([near], layout, options(freedom))
