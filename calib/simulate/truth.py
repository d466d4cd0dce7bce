"""Random panel corrections with known values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.detector.correction import N_PARAMETERS, ROTATIONS, TRANSLATIONS, Correction
from calib.model.detector.layout import Layout


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Standard deviations of the panels from their nominal places."""

    shift_mm: float = 0.1
    normal_mm: float = 0.05
    tilt_rad: float = 1e-3
    """About the axes in the plane, and about the normal if ``spin_rad`` is None."""
    spin_rad: float | None = None
    """About the normal."""


def random_correction(
    rng: np.random.Generator, layout: Layout, tolerance: Tolerance | None = None
) -> Correction:
    """Independent normal deviates for every panel."""
    t = tolerance or Tolerance()
    spin = t.tilt_rad if t.spin_rad is None else t.spin_rad
    sigma = np.zeros(N_PARAMETERS)
    sigma[TRANSLATIONS] = (t.shift_mm, t.shift_mm, t.normal_mm)
    sigma[ROTATIONS] = (t.tilt_rad, t.tilt_rad, spin)
    return Correction(rng.normal(size=(len(layout), N_PARAMETERS)) * sigma)
