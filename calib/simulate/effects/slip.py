"""Sudden motions of a crystal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.crystal import OBLIQUE
from calib.simulate.effects.effect import Effect, InstrumentState


@dataclass(frozen=True, slots=True)
class Slip(Effect):
    """The crystal slips in its loop: from one angle on it is rotated.

    Loops that are hit by the cold stream or move in their pin slip by .5 to 10 mrad.
    """

    size_rad: float = 1e-3
    """The rotation at the slip, about an axis that is fixed at datum."""
    at_share: float = 0.5
    """The elapsed fraction of the dataset at which it happens."""
    axis: tuple[float, float, float] = (OBLIQUE[0], OBLIQUE[1], OBLIQUE[2])
    """In the laboratory, at datum."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The crystal before and after."""
        unit = np.array(self.axis) / np.linalg.norm(self.axis)
        after = (state.share > self.at_share).astype(np.float64)
        turn = rotation_from_vector(np.outer(self.size_rad * after, unit))
        return replace(state, crystal=turn @ state.crystal)
