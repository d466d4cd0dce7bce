"""Intersections of rays with a detector, and erroneous starting poses and crystals."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.experiment.experiment import Beam, Crystal


def hits(frames: PanelFrames, size_mm: Floats, s1: Floats) -> tuple[Ints, Floats]:
    """The panel (n,) hit by each ray (-1 for none), and the point (n, 2) in mm on it."""
    panel = np.full(len(s1), -1)
    where = np.zeros((len(s1), 2))
    for index in range(len(frames)):
        rotation, origin = frames.rotation[index], frames.origin_mm[index]
        local = s1 @ rotation
        start = origin @ rotation
        reach = start[2] / local[:, 2]
        xy = local[:, :2] * reach[:, None] - start[:2]
        on = (reach > 0.0) & (xy >= 0.0).all(axis=1) & (xy < size_mm[index]).all(axis=1)
        panel[on], where[on] = index, xy[on]
    return panel, where


def d_min(layout: Layout, pose: RigidMotion, beam: Beam) -> float:
    """The resolution at the outermost corner, in Angstrom."""
    corners = layout.frames.moved(pose).points(layout.corners_panel_mm()).reshape(-1, 3)
    cosine = -(corners @ beam.direction) / np.linalg.norm(corners, axis=1)
    two_theta = np.arccos(np.clip(cosine, -1.0, 1.0)).max()
    return float(beam.wavelength_angstrom / (2.0 * np.sin(0.5 * two_theta)))


def perturbed_pose(
    rng: np.random.Generator, pose: RigidMotion, shift_mm: float, rotation_rad: float
) -> RigidMotion:
    """The pose with a random rotation about the sample and a random shift (normal deviates)."""
    turn = rotation_from_vector(rng.normal(scale=rotation_rad, size=3))
    turned = RigidMotion(turn, np.zeros(3)) @ pose
    shift = rng.normal(scale=shift_mm, size=3)
    return RigidMotion(turned.rotation, turned.translation_mm + shift)


class CrystalPlan(Protocol):
    """What plans of scans and of stills state about their crystals."""

    @property
    def cell_angstrom(self) -> tuple[float, float, float]: ...
    @property
    def hall_symbol(self) -> str: ...
    @property
    def start_crystal_rad(self) -> float: ...
    @property
    def start_cell_share(self) -> float: ...


def perturbed_crystal(rng: np.random.Generator, orientation: Floats, plan: CrystalPlan) -> Crystal:
    """A tetragonal crystal with a random rotation and random relative changes of a and of c (normal
    deviates)."""
    turn = rotation_from_vector(rng.normal(scale=plan.start_crystal_rad, size=3))
    swollen = 1.0 + plan.start_cell_share * rng.normal(size=2)
    cell = np.array(plan.cell_angstrom) * [swollen[0], swollen[0], swollen[1]]
    return Crystal(np.diag(cell) @ orientation.T @ turn.T, plan.hall_symbol)
