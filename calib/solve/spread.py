"""Residuals in numbers: overall, per panel, per resolution shell, used and held out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from calib.model.arrays import Bools, Floats
from calib.model.report import BeforeAfter, Fit, Shell, Spread
from calib.solve.fit import DatasetFit
from calib.solve.reject import SIGMA_PER_MAD

_BEYOND = 5.0
"""Held-out reflections farther than this many robust sigma in either model are left out."""
_SHELLS = 8
_FEWEST_IN_SHELL = 100


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

    @staticmethod
    def joined(parts: list[Residuals]) -> Residuals:
        """Those of several datasets as one."""
        out = object.__new__(Residuals)
        out.before = np.concatenate([p.before for p in parts], axis=1)
        out.after = np.concatenate([p.after for p in parts], axis=1)
        out.panel = np.concatenate([p.panel for p in parts])
        out.d_angstrom = np.concatenate([p.d_angstrom for p in parts])
        return out

    def compared(self, chosen: Bools | None = None) -> BeforeAfter | None:
        """The two models side by side; None where there is no reflection."""
        pick = slice(None) if chosen is None else chosen
        before, after = self.before[:, pick], self.after[:, pick]
        if not before.shape[1]:
            return None
        return BeforeAfter(_spread(before), _spread(after))

    def shells(self) -> tuple[Shell, ...]:
        """Equally filled resolution shells, coarse to fine."""
        n = len(self.d_angstrom)
        count = min(_SHELLS, n // _FEWEST_IN_SHELL)
        if count < 2:
            return ()
        edges = np.quantile(self.d_angstrom, np.linspace(1.0, 0.0, count + 1))
        found = []
        for index, (high, low) in enumerate(pairwise(edges)):
            inside = (self.d_angstrom <= high) & (self.d_angstrom > low)
            if index == count - 1:
                inside |= self.d_angstrom == low
            both = self.compared(inside)
            if both is not None:
                found.append(Shell(float(high), float(low), both))
        return tuple(found)


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


def fit_of(used: Residuals, held_out: Residuals, panel: int | None = None) -> Fit:
    """Used and held-out residuals, of all panels or of one."""
    if panel is None:
        return Fit(used.compared(), held_out.compared())
    return Fit(used.compared(used.panel == panel), held_out.compared(held_out.panel == panel))


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
