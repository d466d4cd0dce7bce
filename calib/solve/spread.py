"""Residuals of one dataset, with the panels as drawn and corrected, used and held out."""

from __future__ import annotations

import numpy as np

from calib.model.arrays import Bools, Floats, Ints
from calib.model.report import BeforeAfter, Spread
from calib.solve.fit import DatasetFit
from calib.solve.reject import SIGMA_PER_MAD
from calib.solve.tally import Tally

_BEYOND = 5.0
"""Held-out reflections farther than this many robust sigma in either model are left out."""
_CHUNK = 1 << 16


class Residuals:
    """Residuals of n reflections with two models: panels as drawn, and corrected."""

    def __init__(self, fit: DatasetFit, before: Floats, after: Floats, chosen: Bools) -> None:
        self.panel = fit.seen.panel[chosen]
        pixel_mm = np.array([panel.pixel_mm for panel in fit.layout.panels])
        self.before = _shown(before[:, chosen], self.panel, pixel_mm)
        self.after = _shown(after[:, chosen], self.panel, pixel_mm)
        self._places = fit.seen.hkl[:, chosen], fit.instrument.crystal[fit.seen.experiment[chosen]]
        self._a_matrix = fit.state.a_matrix

    @property
    def d_angstrom(self) -> Floats:
        """(n,) the resolution of each."""
        hkl, crystal = self._places
        out = np.empty(len(crystal))
        for low in range(0, len(out), _CHUNK):
            part = slice(low, low + _CHUNK)
            r = np.einsum("nij,jn->ni", self._a_matrix[crystal[part]], hkl[:, part])
            out[part] = 1.0 / np.maximum(np.linalg.norm(r, axis=1), 1e-9)
        return out

    def tally(self, group: Ints, n_groups: int) -> Tally:
        """Counted by group (n,), to be put together with those of other datasets."""
        return Tally.of(self.before, self.after, group, n_groups)

    def compared(self) -> BeforeAfter | None:
        """The two models side by side; None where there is no reflection."""
        if not self.before.shape[1]:
            return None
        return BeforeAfter(_spread(self.before), _spread(self.after))


def held_out_residuals(
    fit: DatasetFit, before: Floats, after: Floats
) -> tuple[Residuals, int, int]:
    """Residuals on held-out reflections, how many were left out as wild, and of how many.

    Every usable held-out reflection counts, also those that the solution rejected, less those
    beyond five robust sigma of either model.
    """
    held = fit.seen.held_out
    wild = np.zeros(len(held), dtype=np.bool_)
    for residuals in (before, after):
        if held.any():
            for row in residuals:
                size = np.abs(row[held])
                limit = _BEYOND * SIGMA_PER_MAD * np.nanmedian(size)
                wild[held] |= ~(size <= limit)
    return Residuals(fit, before, after, held & ~wild), int((held & wild).sum()), int(held.sum())


def _shown(residuals: Floats, panel: Ints, pixel_mm: Floats) -> Floats:
    """(3, n) in px, px and mrad, in place; ``pixel_mm`` (n_panels, 2)."""
    for axis in range(2):
        residuals[axis] /= pixel_mm[panel, axis]
    residuals[2] *= 1e3
    return residuals


def _spread(shown: Floats) -> Spread:
    rms = np.sqrt(np.mean(shown**2, axis=1))
    middle = np.median(np.abs(shown), axis=1)
    return Spread(
        n=shown.shape[1],
        rms_x_px=float(rms[0]),
        rms_y_px=float(rms[1]),
        median_abs_x_px=float(middle[0]),
        median_abs_y_px=float(middle[1]),
        rms_phi_mrad=float(rms[2]),
        median_abs_phi_mrad=float(middle[2]),
    )
