"""Residuals of one dataset with nominal and corrected panels, of used and held-out reflections."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.result.report import BeforeAfter, Spread
from calib.solve.algebra.paired_differences import PairedDifferences
from calib.solve.algebra.residual_histogram import ResidualHistogram
from calib.solve.algebra.statistics import SIGMA_PER_MAD
from calib.solve.dataset.fit import DatasetFit

_BEYOND = 5.0
"""Held-out reflections beyond this many robust sigma in either model are omitted."""
_CHUNK = 1 << 16
_BLOCK_RAD = np.radians(10.0)
"""Length of the blocks of a scan within which residuals may be correlated; each has one block of
held-out reflections."""


class Residuals:
    """Residuals of n reflections with nominal and with corrected panels.

    Made from the residuals (3, m) of all reflections and the mask (m,) of those to use. The given
    arrays are overwritten to save memory.
    """

    def __init__(self, fit: DatasetFit, before: Floats, after: Floats, chosen: Bools) -> None:
        self.panel = fit.seen.panel[chosen]
        pixel_mm = np.array([panel.pixel_mm for panel in fit.layout.panels])
        self.before = _shown(before, chosen, self.panel, pixel_mm)
        self.after = _shown(after, chosen, self.panel, pixel_mm)
        self._seen, self._chosen = fit.seen, np.flatnonzero(chosen)
        self._crystal, self._a_matrix = fit.instrument.crystal, fit.nuisance.a_matrix
        self._still = fit.instrument.still

    @property
    def d_angstrom(self) -> Floats:
        """Resolution (n,) of each reflection."""
        out = np.empty(len(self._chosen))
        for low in range(0, len(out), _CHUNK):
            part = slice(low, low + _CHUNK)
            mine = self._chosen[part]
            a_matrix = self._a_matrix[self._crystal[self._seen.experiment[mine]]]
            r = np.einsum("nij,jn->ni", a_matrix, self._seen.hkl[:, mine])
            out[part] = 1.0 / np.maximum(np.linalg.norm(r, axis=1), 1e-9)
        return out

    @property
    def block(self) -> Ints:
        """Number of the block of time (n,) of each reflection: 10 degrees of one scan, or one
        still."""
        experiment = self._seen.experiment[self._chosen].astype(np.int64)
        phi = np.where(self._still[experiment], 0.0, self._seen.observed[2, self._chosen])
        turn = np.floor((phi - phi.min(initial=0.0)) / _BLOCK_RAD).astype(np.int64)
        return np.asarray(experiment * (int(turn.max(initial=0)) + 1) + turn)

    def differences(self, group: Ints, n_groups: int) -> PairedDifferences:
        """Differences of squared residuals by group (n,), to be added to those of other
        datasets."""
        return PairedDifferences.of(self.before, self.after, group, self.block, n_groups)

    def histogram(self, group: Ints, n_groups: int) -> ResidualHistogram:
        """Histogram by group (n,), to be added to those of other datasets."""
        return ResidualHistogram.of(self.before, self.after, group, n_groups)

    def compared(self) -> BeforeAfter | None:
        """RMS and median residuals of both models; None if there are no reflections."""
        if not self.before.shape[1]:
            return None
        return BeforeAfter(_spread(self.before), _spread(self.after))


def held_out_residuals(held: DatasetFit, before: Floats, after: Floats) -> tuple[Residuals, int]:
    """Residuals of held-out reflections, and the number of those omitted as outliers.

    ``held`` contains held-out reflections only. All usable ones count, also those that the solution
    rejected, except those beyond five robust sigma of either model.
    """
    wild = np.zeros(len(held.seen), dtype=np.bool_)
    if len(wild):
        for row in (*before, *after):
            size = np.abs(row)
            wild |= ~(size <= _BEYOND * SIGMA_PER_MAD * np.nanmedian(size))
    return Residuals(held, before, after, ~wild), int(wild.sum())


def _shown(residuals: Floats, chosen: Bools, panel: Ints, pixel_mm: Floats) -> Floats:
    """Chosen residuals (3, n) in px, px and mrad, written over the first of ``residuals``;
    ``pixel_mm`` is (n_panels, 2)."""
    for row in residuals:
        row[: len(panel)] = row[chosen]
    residuals = residuals[:, : len(panel)]
    for axis in range(2):
        residuals[axis] /= pixel_mm[panel, axis]
    residuals[2] *= 1e3
    return residuals


def _spread(shown: Floats) -> Spread:
    rms = [np.sqrt(np.mean(row**2)) for row in shown]
    middle = [np.median(np.abs(row)) for row in shown]
    return Spread(
        n=shown.shape[1],
        rms_x_px=float(rms[0]),
        rms_y_px=float(rms[1]),
        median_abs_x_px=float(middle[0]),
        median_abs_y_px=float(middle[1]),
        rms_phi_mrad=float(rms[2]),
        median_abs_phi_mrad=float(middle[2]),
    )
