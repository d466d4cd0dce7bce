"""Panels that are elsewhere in one dataset than in another."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.detector.correction import Correction
from calib.model.detector.layout import Layout
from calib.simulate.effects.effect import Effect


@dataclass(frozen=True, slots=True)
class MovedPanel(Effect):
    """One panel has moved, as one that was replaced or mounted again.

    Give it to the datasets after the move and not to those before.
    """

    panel: int = 0
    shift_mm: tuple[float, float, float] = (0.1, 0.0, 0.0)
    """Along the panel's fast, slow and normal axes."""
    turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """About these axes."""

    def displaced(self, layout: Layout, truth: Correction) -> Correction:
        """Where the panels are after the move."""
        values = truth.values.copy()
        values[self.panel] += (*self.shift_mm, *self.turn_rad)
        return Correction(values)
