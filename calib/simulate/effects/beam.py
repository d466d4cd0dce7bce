"""Changes of the incident beam during a dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.effect import Effect, InstrumentState


@dataclass(frozen=True, slots=True)
class BeamDrift(Effect):
    """The direction of the beam drifts, as after a monochromator or mirror warms up.

    The beam still meets the sample. All spots move by about the drift times the distance, those
    near the spindle less, since their angles change. DIALS refines it as a beam with scan points
    (Waterman et al. 2016). Usual drifts are 1 to 50 microradians in an hour.
    """

    angle_rad: float = 1e-4
    """Between the first moment and the last one (linear), or the extremes (with ``waves``)."""
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """The laboratory axis about which the beam turns; the spindle is along x."""
    waves: float = 0.0
    """Periods of a sine during the dataset; 0 for a constant speed."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The wave vector at the elapsed fraction; nothing changes in the middle of a linear
        drift."""
        way = state.share - 0.5
        if self.waves:
            way = 0.5 * np.sin(2.0 * np.pi * self.waves * state.share)
        unit = np.array(self.axis) / np.linalg.norm(self.axis)
        turn = rotation_from_vector(np.outer(self.angle_rad * way, unit))
        return replace(state, s0=np.einsum("nij,nj->ni", turn, state.s0))
