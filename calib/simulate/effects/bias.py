"""Systematic errors of centroids, by place, intensity and partiality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import Layout
from calib.simulate.effects.effect import Effect, Measured, shifted

_WAVES = 3
"""Half periods of a smooth bias along each side of a panel, at most."""


@dataclass(frozen=True, slots=True)
class EdgeBias(Effect):
    """Centroids near the edge of a panel are drawn inwards, since part of the charge is lost.

    The bias decays with the distance from the edge, size exp(-distance / depth), as the bent
    field at the edge of a sensor makes it (Plazas, Bernstein & Sheldon 2014, for CCDs).
    """

    size_px: float = 0.2
    """At the edge."""
    depth_px: float = 3.0
    """The distance over which it decays to 37 %."""

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """Physical minus apparent position: outwards, at all four edges."""
        pixel = np.array([shape.pixel_mm for shape in layout.panels])[panel]
        near, far = mm / pixel, (layout.size_mm[panel] - mm) / pixel
        bias = np.exp(-np.abs(far) / self.depth_px) - np.exp(-np.abs(near) / self.depth_px)
        return np.pad(self.size_px * bias * pixel, ((0, 0), (0, 1)))


@dataclass(frozen=True, slots=True)
class PositionBias(Effect):
    """A smooth field of errors inside each panel, as distortions of the sensor's field give.

    Sums of random waves of half a period to one and a half along each side, independent for fast
    and slow.
    """

    size_px: float = 0.05
    """Root mean square along fast and along slow, over all panels."""
    seed: int = 0
    """Of the random waves, which belong to the detector and stay the same in all datasets."""

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """The error at each point."""
        rng = np.random.default_rng(self.seed)
        shape = (len(layout), 2, _WAVES, _WAVES)
        phase = rng.uniform(0.0, 2.0 * np.pi, size=(*shape, 2))
        height = rng.normal(size=shape) * 2.0 / _WAVES
        unit = mm / layout.size_mm[panel]
        pixel = np.array([one.pixel_mm for one in layout.panels])[panel]
        out = np.zeros((len(mm), 3))
        for side in range(2):
            for i in range(_WAVES):
                for j in range(_WAVES):
                    own = phase[panel, side, i, j]
                    wave = np.sin(2.0 * np.pi * (i + 1) / 2.0 * unit[:, 0] + own[:, 0])
                    wave *= np.sin(2.0 * np.pi * (j + 1) / 2.0 * unit[:, 1] + own[:, 1])
                    out[:, side] += height[panel, side, i, j] * wave
        out[:, :2] *= self.size_px * pixel
        return out


@dataclass(frozen=True, slots=True)
class IntensityBias(Effect):
    """Strong spots are displaced against weak ones, as by charge sharing or after-glow.

    The shift is proportional to the logarithm of the intensity.
    """

    size_px: tuple[float, float] = (0.0, 0.05)
    """Shift along fast and slow for each factor of ten in intensity."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """Positions with their bias."""
        decades = np.log10(measured.intensity / np.median(measured.intensity))
        return shifted(measured, np.outer(decades, self.size_px))


@dataclass(frozen=True, slots=True)
class PartialityBias(Effect):
    """Partly recorded reflections are displaced along the radius: only a part of the spot shows.

    In scans these are reflections at the ends, in stills those off the Ewald sphere.
    """

    size_px: float = 0.3
    """Shift away from the beam of a reflection of which nothing is recorded; less in proportion
    to the recorded fraction."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """Positions with their bias."""
        missing = 1.0 - measured.partiality
        return shifted(measured, self.size_px * missing[:, None] * measured.radial)
