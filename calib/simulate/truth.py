"""Detectors whose panels stand somewhere else than where they were drawn, by known amounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.correction import Correction
from calib.model.frames import RigidMotion, rotation_from_vector
from calib.model.layout import Layout


@dataclass(frozen=True, slots=True)
class Tolerance:
    """One standard deviation of how far panels were assembled from the drawing."""

    shift_mm: float = 0.1
    normal_mm: float = 0.05
    tilt_rad: float = 1e-3


def drawn_correction(
    rng: np.random.Generator, layout: Layout, tolerance: Tolerance | None = None
) -> Correction:
    """Independent normal deviations of every panel."""
    t = tolerance or Tolerance()
    sigma = np.array([t.shift_mm, t.shift_mm, t.normal_mm, t.tilt_rad, t.tilt_rad, t.tilt_rad])
    return Correction(rng.normal(size=(len(layout), 6)) * sigma)


def facing_pose(
    layout: Layout,
    distance_mm: float,
    *,
    beam_centre_mm: tuple[float, float] = (0.0, 0.0),
    tilt_rad: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> RigidMotion:
    """lab_from_root of a detector that looks at the sample from ``distance_mm`` along -z.

    Fast runs along +x and slow along -y; ``beam_centre_mm`` is where the middle of the detector
    lies from the beam (fast, slow); ``tilt_rad`` turns it about that middle.
    """
    upright = np.diag([1.0, -1.0, -1.0])
    middle_root = layout.frames.points(0.5 * layout.size_mm[:, None, :])[:, 0].mean(axis=0)
    middle_lab = np.array([beam_centre_mm[0], -beam_centre_mm[1], -distance_mm])
    rotation = rotation_from_vector(np.array(tilt_rad)) @ upright
    return RigidMotion(rotation, middle_lab - rotation @ middle_root)
