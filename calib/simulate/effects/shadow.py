"""Parts of the detector that see nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.simulate.effects.effect import Effect, Measured


@dataclass(frozen=True)
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
