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


class Residuals:
    """Residuals of n reflections with two models: panels as drawn, and corrected."""

    def __init__(self, fit: DatasetFit, before: Floats, after: Floats, chosen: Bools) -> None:
        pixel = fit.pixel_mm[:, chosen]
        self.before = _shown(before[:, chosen], pixel)
        self.after = _shown(after[:, chosen], pixel)
        self.panel = fit.seen.panel[chosen]
        experiment = fit.seen.experiment[chosen]
        a = fit.state.a_matrix[fit.instrument.crystal[experiment]]
        length = np.linalg.norm(np.einsum("nij,jn->ni", a, fit.seen.hkl[:, chosen]), axis=1)
        self.d_angstrom = 1.0 / np.maximum(length, 1e-9)

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
            scale = SIGMA_PER_MAD * np.nanmedian(np.abs(residuals[:, held]), axis=1, keepdims=True)
            wild |= ~(np.abs(residuals) <= _BEYOND * scale).all(axis=0)
    return Residuals(fit, before, after, held & ~wild), int((held & wild).sum()), int(held.sum())


def _shown(residuals: Floats, pixel_mm: Floats) -> Floats:
    """(3, n) in px, px and mrad."""
    return np.concatenate([residuals[:2] / pixel_mm, 1e3 * residuals[2:]])


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
