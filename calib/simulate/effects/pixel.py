"""The size of the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import TRANSLATIONS, Correction
from calib.model.detector.layout import Layout
from calib.simulate.effects.effect import Effect


@dataclass(frozen=True, slots=True)
class PixelSize(Effect):
    """All pixels are larger than stated.

    Masks are exact to a few parts per million; silicon shrinks by 2.6 ppm per K, and files round.
    If the panels' places scale as well, the detector is a magnified one, which no data can
    distinguish from a longer distance; otherwise the panels are too large for their gaps.
    PILATUS 1M: Huelsen, Broennimann & Eikenberry 2005.
    """

    excess_share: float = 1e-4
    """Relative error of the size along fast and slow."""
    places_too: bool = False
    """Whether the distances between panels scale with the pixels."""

    def displaced(self, layout: Layout, truth: Correction) -> Correction:
        """The centres at their true distances from the centre of the detector."""
        if not self.places_too:
            return truth
        centre = layout.centre_root_mm
        moved = self.excess_share * (centre - centre.mean(axis=0))
        values = truth.values.copy()
        values[:, TRANSLATIONS] += np.einsum("nij,ni->nj", layout.frames.rotation, moved)
        return Correction(values)

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """Physical minus nominal position of each point, 0 at the panel's centre."""
        from_centre = mm - 0.5 * layout.size_mm[panel]
        return np.pad(from_centre * (1.0 - 1.0 / (1.0 + self.excess_share)), ((0, 0), (0, 1)))
