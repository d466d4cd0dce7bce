"""Displacement of the panels between two models, or between all data and a part of them.

Of two models, one of which constrains the other, or of a part of the data and all of them, let x_1
be the solution with the larger covariance V_1, and x_0 the other one. x_0 is efficient if its model
is right, so that x_1 - x_0 is uncorrelated with it, and

    cov(x_1 - x_0) = V_1 - V_0

(J. A. Hausman, Econometrica 46, 1251, 1978). Rigid motions of all panels are removed from both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import CorrectionEstimate
from calib.solve.algebra.linalg import solve_positive_definite
from calib.solve.algebra.statistics import chance_above
from calib.solve.panels.system import PanelStep
from calib.solve.panels.what_if.alternatives import Model

_RANK = 1e-6
"""Directions in which noise displaces panels by a smaller fraction of their variance are not
compared: the difference of two variances there is rounding error."""
_BEYOND_SIGMA = 2.0
"""Standard deviations of the square of a displacement by noise that count as noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """Displacement d of the f common free parameters of n panels, and what noise makes of it."""

    free: tuple[int, ...]
    shift: Floats
    """(n, f) in mm and rad."""
    noise: Floats
    """(n f, n f) covariance by noise alone, in mm and rad."""
    chi_square: float
    """Of the displacement in the directions in which noise displaces panels."""
    degrees: int
    """Number of these directions."""

    @staticmethod
    def between(
        base: Model, solved: PanelStep, other: Model, changed: PanelStep, *, narrower: bool
    ) -> Displacement:
        """The displacement from the solution ``solved`` to ``changed``, whose covariances are those
        of noise; ``narrower`` is whether the other model is, or has more data."""
        free = tuple(k for k in base.system.freedom.free if k in other.system.freedom.free)
        is_other = len(base.system.freedom.free) > len(free)
        narrow, gauge = (other, changed.gauge) if is_other else (base, solved.gauge)
        gauge_free = _GaugeFree(gauge, narrow.system.tolerance**-2.0)
        first, second = (
            gauge_free.covariance(_marginal(step.covariance, model.system.freedom.free, free))
            for model, step in ((base, solved), (other, changed))
        )
        apart = (changed.correction.values - solved.correction.values)[:, free].ravel()
        apart = gauge_free.values(apart)
        larger, smaller = (first, second) if narrower else (second, first)
        scale = np.sqrt(np.maximum(np.diag(larger), 1e-300))
        values, vectors = np.linalg.eigh((larger - smaller) / np.outer(scale, scale))
        good = values > _RANK
        along = vectors[:, good].T @ (apart / scale)
        positive = (vectors[:, good] * values[good]) @ vectors[:, good].T
        return Displacement(
            free=free,
            shift=apart.reshape(-1, len(free)),
            noise=positive * np.outer(scale, scale),
            chi_square=float((along**2 / values[good]).sum()),
            degrees=int(good.sum()),
        )

    @property
    def p_value(self) -> float:
        """Probability of a larger chi-square by chance."""
        return chance_above(self.chi_square, self.degrees)

    def lengths_mm(self) -> Floats:
        """(n,) lengths of the shifts in the plane."""
        return np.asarray(np.hypot(self.shift[:, 0], self.shift[:, 1]))

    def in_sigma(self, estimate: CorrectionEstimate, chosen: Bools) -> float:
        """Root mean square of dx and dy of some panels in their standard uncertainties."""
        return float(np.sqrt(np.mean((self.shift[:, :2] / estimate.sigma[:, :2])[chosen] ** 2)))

    def excess(self, chosen: Bools) -> float:
        """Fraction of the square of the shifts in the plane that noise does not explain, 0 to 1:
        beyond its expectation and two of its standard deviations."""
        rows = np.flatnonzero(np.repeat(chosen, len(self.free)))
        rows = rows[np.isin(rows % len(self.free), (0, 1))]
        square = float((self.shift.ravel()[rows] ** 2).sum())
        block = self.noise[np.ix_(rows, rows)]
        expected = float(np.trace(block)) + _BEYOND_SIGMA * float(np.sqrt(2.0 * (block**2).sum()))
        return max(1.0 - expected / square, 0.0) if square > 0.0 else 0.0


def _marginal(covariance: Floats, have: tuple[int, ...], wanted: tuple[int, ...]) -> Floats:
    """The covariance (n f, n f) of the parameters ``wanted`` of each panel."""
    n = len(covariance) // len(have)
    rows = (np.arange(n)[:, None] * len(have) + [have.index(k) for k in wanted]).ravel()
    return np.asarray(covariance[np.ix_(rows, rows)])


class _GaugeFree:
    """Projector x - G (G^T W G)^-1 G^T W x, which removes the rigid motions G (m, k) for weights W
    (m,) of the parameters."""

    def __init__(self, gauge: Floats, weight: Floats) -> None:
        held = weight[:, None] * gauge
        self._gauge, self._held = gauge, solve_positive_definite(gauge.T @ held, held.T)

    def values(self, values: Floats) -> Floats:
        """Parameters (m,) or columns (m, ...) without rigid motions."""
        return np.asarray(values - self._gauge @ (self._held @ values))

    def covariance(self, covariance: Floats) -> Floats:
        """Their covariance (m, m)."""
        return self.values(self.values(covariance).T)
