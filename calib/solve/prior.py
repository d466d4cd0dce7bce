"""What is known of panels before any data: the tolerance of their assembly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats


@dataclass(frozen=True, slots=True)
class PanelPrior:
    """Assembly tolerance: one standard deviation of each panel parameter."""

    shift_mm: float = 0.1
    """In the plane."""
    normal_mm: float = 0.05
    """Along the normal."""
    tilt_rad: float = 1e-3
    """About each axis."""

    def sigma(self) -> Floats:
        """(6,) in mm and rad."""
        return np.array([self.shift_mm] * 2 + [self.normal_mm] + [self.tilt_rad] * 3)

    def content(self) -> dict[str, float]:
        """The same as plain values in the units in which they are asked for."""
        return {
            "prior_shift_um": self.shift_mm * 1e3,
            "prior_normal_um": self.normal_mm * 1e3,
            "prior_tilt_mrad": self.tilt_rad * 1e3,
        }
