"""Crystals with a lower symmetry than the file states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.simulate.effects.effect import Effect, InstrumentState


@dataclass(frozen=True, slots=True)
class LowerSymmetry(Effect):
    """Axes a and b differ, or gamma is not 90 degrees, although a tetragonal cell is stated.

    Data are often processed in the highest symmetry that the intensities allow, while the lattice
    deviates by .01 to .3 %; pseudo-symmetric lattices are within the tolerances of programs
    (Sauter, Grosse-Kunstleve & Adams 2004). The mean of a and b stays the same.
    """

    difference_share: float = 5e-4
    """(a - b) / mean of a and b."""
    shear_rad: float = 0.0
    """90 degrees minus gamma."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The strained lattice."""
        strain = np.diag([1.0 + 0.5 * self.difference_share, 1.0 - 0.5 * self.difference_share, 1])
        strain[0, 1] = np.tan(self.shear_rad)
        return replace(state, strain=strain @ state.strain)
