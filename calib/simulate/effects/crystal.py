"""Smooth changes of a crystal during its scan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.effect import Effect, InstrumentState

OBLIQUE = np.array([1.0, -2.0, 2.0]) / 3.0
"""A direction along no axis of instrument or crystal."""


@dataclass(frozen=True, slots=True)
class CrystalDrift(Effect):
    """Orientation and cell change smoothly, as of a crystal that bends, dries or relaxes.

    The rotation vector follows half a sine, r(t) = size / 2 sin(2 pi waves (t - 1/2)) about an
    oblique axis; with half a period it goes from one extreme to the other during the scan.
    Scan-varying refinement of real scans finds .1 to 5 mrad (Waterman et al. 2016).
    """

    size_rad: float = 2e-3
    """Angle between the extreme orientations."""
    waves: float = 0.5
    """Periods during the dataset."""
    cell_share: float = 0.0
    """Relative change of all lengths of the cell between the extremes, in step."""
    axis: tuple[float, float, float] = (OBLIQUE[0], OBLIQUE[1], OBLIQUE[2])
    """In the laboratory, at datum."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The crystal at the elapsed fraction of the exposure."""
        way = 0.5 * np.sin(2.0 * np.pi * self.waves * (state.share - 0.5))
        unit = np.array(self.axis) / np.linalg.norm(self.axis)
        turn = rotation_from_vector(np.outer(self.size_rad * way, unit))
        grown = np.eye(3) * (1.0 + self.cell_share * way)[:, None, None]
        return replace(state, crystal=turn @ state.crystal, strain=grown @ state.strain)


@dataclass(frozen=True, slots=True)
class RadiationDamage(Effect):
    """The cell grows in proportion to the dose: all lengths, or each by its own share.

    Cells of proteins grow by .1 to 1 % before the diffraction fades (Ravelli & McSweeney 2000).
    """

    growth_share: tuple[float, float, float] = (1e-3, 1e-3, 1e-3)
    """Relative growth of a, b and c from the first moment to the last one."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The cell at the elapsed fraction of the exposure."""
        lengths = 1.0 + np.outer(state.share, self.growth_share)
        return replace(state, strain=lengths[:, :, None] * np.eye(3) @ state.strain)
