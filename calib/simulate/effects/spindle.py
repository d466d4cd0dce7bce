"""Errors of the rotation axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.effect import Effect, InstrumentState


@dataclass(frozen=True, slots=True)
class SpindleTilt(Effect):
    """The spindle is not perpendicular to the beam, while the file states that it is.

    Files usually give nominal axes; real ones are off by up to a milliradian. A tilt towards the
    beam changes the angles at which reflections diffract. A tilt about the beam is only another
    orientation of crystal and detector and cannot be seen. Bond (1960, Acta Cryst. 13, 814) gives
    the errors of angles from such misalignments.
    """

    tilt_rad: float = 3e-4
    """Towards the beam: about the vertical axis y, for a spindle along x."""
    about_beam_rad: float = 0.0
    """About the beam, along z."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The spindle as it truly is."""
        turn = rotation_from_vector(np.array([0.0, self.tilt_rad, self.about_beam_rad]))
        return replace(state, axis=state.axis @ turn.T)


@dataclass(frozen=True, slots=True)
class Wobble(Effect):
    """The spindle nods twice in a revolution: its axis describes a cone.

    A wobble of once per revolution is the same as another orientation of the crystal, so the first
    one that matters has two periods. Good air bearings have 1 to 5 microradians, worn stages 100.
    """

    size_rad: float = 1e-4
    """Half the opening angle of the cone."""
    periods: int = 2
    """In one revolution."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The rotation after that about the spindle, across which it nods."""
        angle = self.periods * state.phi_rad
        across = np.cross(state.axis, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        third = np.cross(state.axis, across)
        nod = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * third
        return replace(state, after=rotation_from_vector(self.size_rad * nod) @ state.after)
