"""Read-out chips below one sensor: where they are, and the wide pixels between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import Layout
from calib.simulate.effects.effect import Effect

CHIPS = (8, 2)
"""(fast, slow) chips of a module, as of a PILATUS."""
_BEYOND_MM = 10.0
"""Positions up to this far beyond a panel are still mapped, and found to be outside."""


@dataclass(frozen=True, slots=True)
class ChipOffsets(Effect):
    """Each chip of a panel is displaced in the plane by its own amount, at random.

    Chips are bonded to a few micrometres; detectors of one sensor per chip are off by more
    (CS-PAD: Hattne et al. 2014).
    """

    size_px: float = 0.05
    """Standard deviation along fast and along slow."""
    chips: tuple[int, int] = CHIPS
    """(fast, slow) chips of a panel."""
    seed: int = 0
    """Of the random offsets, which belong to the detector and stay the same in all datasets."""

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """The offset of the chip below each point."""
        n_fast, n_slow = self.chips
        offsets = np.random.default_rng(self.seed).normal(size=(len(layout), n_fast, n_slow, 2))
        pixel = np.array([shape.pixel_mm for shape in layout.panels])[panel]
        part = np.floor(mm / layout.size_mm[panel] * self.chips).astype(np.int64)
        part = np.clip(part, 0, np.array(self.chips) - 1)
        found = offsets[panel, part[:, 0], part[:, 1]] * self.size_px * pixel
        return np.pad(found, ((0, 0), (0, 1)))


@dataclass(frozen=True, slots=True)
class WideGaps(Effect):
    """The two pixels at each border between chips are wider than the others.

    Hybrid pixel detectors have pixels of 1.5 to 2.5 times the width there. Images that count each
    as one pixel are compressed: the panel is larger than stated, by steps. Its centre stays.
    PILATUS: Kraft et al. 2009.
    """

    width_ratio: float = 1.5
    """Width of these pixels over that of the others."""
    chips: tuple[int, int] = CHIPS
    """(fast, slow) chips of a panel."""

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """Physical minus nominal position of each point."""
        out = np.zeros((len(mm), 3))
        for index in np.unique(panel):
            mine, shape = panel == index, layout.panels[index]
            for side in range(2):
                n, pixel_mm = shape.size_px[side], shape.pixel_mm[side]
                nominal = _extended(pixel_mm * np.arange(n + 1.0))
                true_mm = _extended(self._edges_mm(n, pixel_mm, side))
                at = mm[mine, side]
                out[mine, side] = at - np.interp(at, true_mm, nominal)
        return out

    def _edges_mm(self, n: int, pixel_mm: float, side: int) -> Floats:
        """(n + 1,) the true edges of the pixels, centred on the nominal panel."""
        width = np.full(n, pixel_mm)
        borders = np.round(n * np.arange(1, self.chips[side]) / self.chips[side]).astype(int)
        width[np.concatenate([borders - 1, borders])] *= self.width_ratio
        edges = np.concatenate([[0.0], np.cumsum(width)])
        return np.asarray(edges - 0.5 * (edges[-1] - n * pixel_mm))


def _extended(edges_mm: Floats) -> Floats:
    """Edges of pixels with one more on each side, far beyond the panel."""
    return np.concatenate([edges_mm[:1] - _BEYOND_MM, edges_mm, edges_mm[-1:] + _BEYOND_MM])
