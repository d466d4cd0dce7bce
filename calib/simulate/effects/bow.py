"""Panels that are not flat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import Layout
from calib.simulate.effects.effect import Effect


@dataclass(frozen=True, slots=True)
class Bow(Effect):
    """Each panel is bowed: its centre is higher than its corners.

    Height = size (1 - (X^2 + Y^2) / 2), where X and Y go from -1 to 1 across the panel. Sensors are
    bowed by 10 to 100 um from bonding and cooling. A spot at 2 theta is off by height tan(2 theta).
    """

    size_mm: float = 0.05
    """Height of the centre above the corners, along the panel's normal."""

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """The height of each point."""
        across = 2.0 * mm / layout.size_mm[panel] - 1.0
        height = self.size_mm * (1.0 - 0.5 * (across**2).sum(axis=1))
        return np.column_stack([np.zeros((len(mm), 2)), height])
