"""Position of the diffracting point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.effect import Effect, InstrumentState


@dataclass(frozen=True, slots=True)
class SampleOffset(Effect):
    """The crystal is not on the spindle and runs around it, while a wide beam still covers it.

    Its spots move with it: by the offset across the beam once per revolution, and by a
    magnification for what lies along the beam (eccentricity, Bond 1960, Acta Cryst. 13, 814).
    Samples are centred to 5 to 50 um.
    """

    offset_mm: tuple[float, float, float] = (0.0, 0.02, 0.0)
    """At the start of the scan, in the laboratory."""
    waves_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Amplitude of a motion of the spindle itself, two periods in a revolution (its sphere of
    confusion)."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The point after the rotation of the spindle."""
        around: Floats = np.einsum(
            "nij,j->ni",
            rotation_from_vector(state.axis * state.phi_rad[:, None]),
            np.array(self.offset_mm),
        )
        waves = np.outer(np.sin(2.0 * state.phi_rad), self.waves_mm)
        return replace(state, sample_mm=state.sample_mm + around + waves)
