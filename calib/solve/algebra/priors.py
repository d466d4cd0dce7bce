"""Priors of nuisance parameters that are free by default.

A parameter that is fixed at a wrong value shifts the panels, by up to some 60 um in the examples of
decision 0032. One that is free without need costs next to nothing. The widths are those of real
experiments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats


@dataclass(frozen=True, slots=True)
class BeamPrior:
    """Standard deviation of the beam's tilt towards the spindle from that in the file."""

    tilt_rad: float = 1e-3

    @property
    def information(self) -> float:
        """Inverse variance, in 1/rad^2."""
        return float(self.tilt_rad**-2.0)


@dataclass(frozen=True, slots=True)
class SpindlePrior:
    """Standard deviation of the rotation of the whole detector about the beam, with respect to the
    spindle, from that in the file.

    Scans determine it far better, unless crystals change along narrow ones: a spindle that is
    rotated about the beam looks like a crystal that rotates steadily.
    """

    turn_rad: float = 3e-3

    @property
    def information(self) -> float:
        """Inverse variance, in 1/rad^2."""
        return float(self.turn_rad**-2.0)


@dataclass(frozen=True, slots=True)
class ChangePrior:
    """Standard deviations of a crystal's net change from the start of a scan to its end.

    They grow with the range of the scan. Data determine the change far better, unless a scan has
    a few dozen reflections only.
    """

    turn_per_degree: float = 1e-4
    """Rotation in rad."""
    strain_per_degree: float = 5e-5
    """Strain, without unit."""
    least: float = 2e-4
    """Of either, however short the scan."""

    def sigma(self, range_rad: float) -> Floats:
        """Standard deviations (9,) of rotation and strain over a range."""
        degrees = float(np.degrees(range_rad))
        sigma = np.array([self.turn_per_degree] * 3 + [self.strain_per_degree] * 6) * degrees
        return np.maximum(sigma, self.least)


def complement(allowed: Floats) -> Floats:
    """The strains (6, 6 - k) orthonormal to the k ``allowed`` ones (6, k): those that the symmetry
    forbids."""
    whole, _ = np.linalg.qr(np.concatenate([allowed, np.eye(6)], axis=1))
    return np.asarray(whole[:, allowed.shape[1] :])


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """Standard deviations of the poses of single experiments about the pose of their group."""

    shift_mm: float = 0.1
    turn_rad: float = 5e-4

    def information(self) -> Floats:
        """Inverse covariance (6, 6) of a pose's deviation, in mm and rad."""
        sigma = np.array([self.shift_mm] * 3 + [self.turn_rad] * 3)
        return np.diag(sigma**-2.0)
