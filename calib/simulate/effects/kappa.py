"""Several scans of one crystal at other settings of the goniometer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.detector.frames import rotation_from_vector
from calib.simulate.effects.effect import Effect, Sweep


@dataclass(frozen=True, slots=True)
class Kappa(Effect):
    """One crystal in several scans about omega, each at another angle of kappa.

    The kappa axis is inclined to the spindle. All scans share the crystal and the detector in the
    file; the rotation by kappa is the goniometer's fixed rotation. Real kappa axes reproduce to
    .1 to 1 mrad (Brockhauser et al. 2013), so that each scan has a small rotation of its own which
    the file does not state.
    """

    angles_rad: tuple[float, ...] = (0.0, 0.5236, 1.0472)
    """The angle of kappa in each scan."""
    error_rad: float = 0.0
    """Standard deviation of each scan's own rotation about each axis."""
    inclination_rad: float = 0.8727
    """Of the kappa axis to the spindle along x, in the horizontal plane."""
    seed: int = 0
    """Of the random errors."""

    def sweeps(self, sweeps: tuple[Sweep, ...]) -> tuple[Sweep, ...]:
        """Each scan at every angle."""
        rng = np.random.default_rng(self.seed)
        axis = np.array([np.cos(self.inclination_rad), 0.0, np.sin(self.inclination_rad)])
        out = []
        for angle in self.angles_rad:
            turn = rotation_from_vector(angle * axis)
            off = rotation_from_vector(rng.normal(scale=self.error_rad, size=3))
            out += [Sweep(turn @ one.fixed, off @ turn @ one.true_fixed) for one in sweeps]
        return tuple(out)
