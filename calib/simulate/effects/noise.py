"""Random errors that are not normal, not independent, or not as large as claimed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.simulate.effects.effect import Effect, Measured


@dataclass(frozen=True, slots=True)
class HeavyTails(Effect):
    """Errors follow Student's t, scaled to the width of the normal distribution that is claimed.

    A usual model of data with outliers (Lange, Little & Taylor 1989); residuals of spot positions
    have some 3 to 6 degrees of freedom.
    """

    degrees: float = 3.0
    """Degrees of freedom; many for a normal distribution."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """Each reflection's error divided by the root of its own chi-square."""
        mean_square = rng.chisquare(self.degrees, size=len(measured.noise)) / self.degrees
        return replace(measured, noise=measured.noise / np.sqrt(mean_square)[:, None])


@dataclass(frozen=True, slots=True)
class CorrelatedNoise(Effect):
    """An error that all reflections of the same moment share, as vibrations or steps give.

    Random values at evenly spaced angles, interpolated linearly between them; with the default, of
    2 degrees in a scan of 80. Half-dataset agreement by alternate blocks cannot see it.
    """

    size_px: float = 0.05
    """Standard deviation at the angles, along fast and along slow."""
    length_share: float = 0.025
    """Their distance as a fraction of the dataset."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """Positions with the common error added to their noise."""
        nodes = np.arange(0.0, 1.0 + self.length_share, self.length_share)
        values = rng.normal(scale=self.size_px, size=(2, len(nodes)))
        common = [np.interp(measured.state.share, nodes, one) for one in values]
        noise = measured.noise.copy()
        noise[:, :2] += np.column_stack(common)
        return replace(measured, noise=noise)


@dataclass(frozen=True, slots=True)
class ClaimedVariances(Effect):
    """The variances in the file are wrong by a constant factor.

    Programs that count in photons, ADU or arbitrary units differ by many orders of magnitude.
    """

    factor: float = 1e8
    """Claimed over true variances of all coordinates."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """The same centroids with other claims."""
        return replace(measured, sigma=measured.sigma * np.sqrt(self.factor))
