"""Whether a crystal changes along its scan, decided by reflections that the fit never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.correction import Correction
from calib.solve.fit import DatasetFit
from calib.solve.options import Crystals, SolveOptions

AUTOMATIC_FROM_RAD = np.radians(90.0)
INTERVALS_RAD = (np.radians(30.0), np.radians(15.0))
"""Lengths of intervals that are tried; shorter ones fall apart on real sweeps."""
_WORTH = 0.98
"""A finer model must lower the held-out sum of squares at least to this share."""
_ENOUGH_TO_TELL = 10_000
"""Reflections from which it is told."""
_LARGEST_CROWD = 20_000
"""Reflections: the blocks of splines are far larger than those of a crowd that they sum."""
_ITERATIONS = 2
"""From the static solution, which is near."""
_WITHOUT_HELD_OUT = (0, 2)


@dataclass(frozen=True, slots=True)
class Variation:
    """How crystals may change along the scans of a dataset."""

    interval_rad: float
    """Length of a spline's intervals."""
    from_rad: float
    """Scans shorter than this have crystals that stand still."""

    def of(self, fit: DatasetFit) -> DatasetFit:
        """The dataset with such crystals; itself where no scan is long enough."""
        return fit.varying(self.interval_rad, from_rad=self.from_rad)


def variation_of(
    fit: DatasetFit, correction: Correction, options: SolveOptions
) -> Variation | None:
    """How the crystals of a dataset are to change, where that is asked for or worth it.

    ``Crystals.AUTO`` compares, panels held at ``correction``, the pose as it is, and on a part of
    the reflections, the weighted sum of squares of held-out blocks with static crystals and with
    each interval.
    """
    asked = options.crystal_interval_rad
    if options.crystals is Crystals.STATIC or (fit.is_crowd and len(fit.seen) > _LARGEST_CROWD):
        return None
    if options.crystals is Crystals.VARYING:
        return Variation(asked or INTERVALS_RAD[-1], 0.0)
    thin = fit.thinned(_ENOUGH_TO_TELL)
    chosen, lowest = None, np.inf
    for interval in (asked,) if asked else INTERVALS_RAD:
        tried = Variation(interval, AUTOMATIC_FROM_RAD)
        varied = tried.of(thin)
        if varied is thin:
            continue
        if chosen is None and lowest == np.inf:
            lowest = _held_out_chi_square(thin, correction)
        found = _held_out_chi_square(varied, correction)
        if found < _WORTH * lowest:
            lowest, chosen = found, tried
    return chosen


def _held_out_chi_square(fit: DatasetFit, correction: Correction) -> float:
    """Of the held-out reflections that are kept, predicted by crystals refined without them; pose
    and panels stand still."""
    fit = fit.across_panels()
    for _ in range(_ITERATIONS):
        blocks = fit.blocks_of_crystals(correction)
        fit = fit.moved(fit.crystals_step(blocks.of_folds(_WITHOUT_HELD_OUT)))
    tested = fit.keep & fit.seen.held_out
    residuals = fit.residuals(correction)[:, tested]
    return float(np.nansum(residuals**2 * fit.weights[:, tested]))
