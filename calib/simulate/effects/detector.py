"""Motion of the whole detector during a dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats
from calib.simulate.effects.effect import VERTICAL, Effect, InstrumentState

_HORIZONTAL = np.array([1.0, 0.0, 0.0])
_SETTLING = 4.0
"""A sagging detector settles with a time constant of this fraction of the dataset."""


@dataclass(frozen=True, slots=True)
class DetectorDrift(Effect):
    """The detector moves at a constant speed, as a stage or table that warms up does.

    Spots move as the detector does, in the opposite direction on it, by the same amount on all
    panels; along the beam by a magnification. A metre of steel grows by 12 um for each kelvin.
    """

    shift_mm: tuple[float, float, float] = (0.0, 0.05, 0.0)
    """From the first moment to the last one, in the laboratory."""
    turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Rotation vector about the detector's centre, from first to last."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The detector at the elapsed fraction of its way, which is 0 in the middle."""
        return _moved(state, state.share - 0.5, self.shift_mm, self.turn_rad)


@dataclass(frozen=True, slots=True)
class Sag(Effect):
    """The detector settles downwards and nods after it was moved: 1 - exp(-4 t), t from 0 to 1.

    Long cantilevers of heavy detectors creep by tens of micrometres in the first minutes. Within
    one scan it is the same as a drift of all spots (``spot shift`` in the method).
    """

    drop_mm: float = 0.05
    """Down, from the first moment to rest."""
    nod_rad: float = 0.0
    """Rotation about the horizontal axis across the beam, from the first moment to rest."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The detector on its way down."""
        settled = 1.0 - np.exp(-_SETTLING * state.share)
        drop, nod = -self.drop_mm * VERTICAL, self.nod_rad * _HORIZONTAL
        return _moved(state, settled, tuple(drop), tuple(nod))


def _moved(
    state: InstrumentState, share: Floats, shift_mm: tuple[float, ...], turn_rad: tuple[float, ...]
) -> InstrumentState:
    return replace(
        state,
        detector_shift_mm=state.detector_shift_mm + np.outer(share, shift_mm),
        detector_turn_rad=state.detector_turn_rad + np.outer(share, turn_rad),
    )
