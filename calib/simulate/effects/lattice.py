"""Reflections that do not belong to the lattice of the file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.crystal import OBLIQUE
from calib.simulate.effects.effect import Effect, InstrumentState, Measured


@dataclass(frozen=True, slots=True)
class SecondLattice(Effect):
    """A part of the reflections comes from a second domain of the crystal, indexed with the first.

    Split crystals are common; their domains differ by 1 to 10 mrad, so that both index alike
    (Gildea et al. 2014 index such lattices apart).
    """

    share: float = 0.2
    """Fraction of the Miller indices that are measured on the second domain."""
    turn_rad: float = 3e-3
    """Rotation of the second domain from the first."""
    axis: tuple[float, float, float] = (OBLIQUE[0], OBLIQUE[1], OBLIQUE[2])
    """In the laboratory, at datum."""

    def at(self, state: InstrumentState) -> InstrumentState:
        """The orientation of the domain that each reflection comes from."""
        second = (state.chance < self.share).astype(np.float64)
        unit = np.array(self.axis) / np.linalg.norm(self.axis)
        turn = rotation_from_vector(np.outer(self.turn_rad * second, unit))
        return replace(state, crystal=turn @ state.crystal)


@dataclass(frozen=True, slots=True)
class Misindexing(Effect):
    """Miller indices are off by one step along an axis.

    A wrong beam centre shifts all indices of a crystal (Sauter & Poon 2010); close spots shift
    single ones.
    """

    share: float = 0.05
    """Fraction of the reflections, or of the scans or stills, that are off."""
    step: tuple[int, int, int] = (0, 0, 1)
    """Added to the Miller index."""
    whole: bool = False
    """Whether all reflections of a scan or still are off, rather than single ones."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """The same centroids with other indices."""
        if self.whole:
            count = int(measured.state.sweep.max(initial=0)) + 1
            wrong = (rng.random(count) < self.share)[measured.state.sweep]
        else:
            wrong = rng.random(len(measured.hkl)) < self.share
        return replace(measured, hkl=measured.hkl + wrong[:, None] * np.array(self.step))
