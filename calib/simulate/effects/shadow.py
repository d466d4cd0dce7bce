"""Parts of the detector that see nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.simulate.effects.effect import Effect, Measured


@dataclass(frozen=True, slots=True)
class MissingHalf(Effect):
    """Panels on one side of the detector have no reflections, as behind a cryostream or a beam
    stop, or with a beam at the edge."""

    share: float = 0.5
    """Fraction of the panels that see nothing, from one end."""
    axis: int = 1
    """0: the panels at the start along the detector's x, 1: along y."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """The reflections on the other panels."""
        place = measured.layout.centre_root_mm[:, self.axis]
        order = np.argsort(place, kind="stable")
        dark = np.zeros(len(place), dtype=np.bool_)
        dark[order[: round(self.share * len(place))]] = True
        return replace(measured, kept=measured.kept & ~dark[measured.panel])


@dataclass(frozen=True, slots=True)
class LoneOutlier(Effect):
    """A panel has a single reflection, and that is an outlier.

    A shadowed panel often has one spot left that is ice, a zinger or of another lattice.
    """

    panel: int = 0
    size_px: float = 4.0
    """How far the spot is off along fast, and half as much along slow."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """Without all but the first reflection of the panel."""
        mine = np.flatnonzero((measured.panel == self.panel) & measured.kept)
        kept, noise = measured.kept.copy(), measured.noise.copy()
        kept[mine[1:]] = False
        noise[mine[:1], :2] += [self.size_px, 0.5 * self.size_px]
        return replace(measured, kept=kept, noise=noise)
