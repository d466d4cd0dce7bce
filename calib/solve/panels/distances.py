"""Consistency of corrections from datasets at different detector distances.

Two solutions from disjoint data share the prior, whose inverse covariance is P. With C_i their
covariances, the covariance of their difference is

    C_1 + C_2 - C_1 P C_2 - C_2 P C_1,

since the contribution of the prior is the same in both. The difference is tested by chi-square, for
each panel and for all panels, after both solutions are brought to the same gauge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.result.report import SAME_DISTANCE, Disagreement
from calib.solve.algebra.linalg import gauge_free, solve_positive_definite
from calib.solve.algebra.statistics import chance_above
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelSystem


def distance_groups(distances_mm: Sequence[float]) -> tuple[list[float], list[int]]:
    """Groups of distances that agree within 1 %.

    Returns the smallest distance of each group in ascending order, and the group of each distance.
    """
    group = [0] * len(distances_mm)
    bounds: list[float] = []
    for distance, place in sorted((d, i) for i, d in enumerate(distances_mm)):
        if not bounds or distance > bounds[-1] * (1.0 + SAME_DISTANCE):
            bounds.append(distance)
        group[place] = len(bounds) - 1
    return bounds, group


_RANK = 1e-9
"""Eigenvalues below this fraction of the largest count as zero."""


def disagreements(
    system: PanelSystem,
    correction: Correction,
    groups: Sequence[tuple[float, Sequence[PanelEquations]]],
) -> tuple[Disagreement, ...]:
    """Comparison of every pair of distances.

    ``groups`` holds each distance in mm with the panel equations of its datasets, linearised at
    ``correction``.
    """
    if len(groups) < 2:
        return ()
    everything = [equations for _, mine in groups for equations in mine]
    gauge = system.normal(correction, everything).gauge
    projector = _GaugeProjector.of(gauge, system.gauge_weight(correction, everything))
    precision = gauge_free(system.precision, gauge)
    solutions = []
    for distance, mine in groups:
        step = system.step_of(correction, mine)
        values = step.correction.values[:, list(system.freedom.free)].ravel()
        solutions.append(
            (distance, projector.values(values), projector.covariance(step.covariance))
        )
    found = []
    for (one, x1, c1), (other, x2, c2) in combinations(solutions, 2):
        shared = c1 @ precision @ c2
        found.append(_compared(one, other, x1 - x2, c1 + c2 - shared - shared.T, system))
    return tuple(found)


def _compared(
    one: float, other: float, difference: Floats, covariance: Floats, system: PanelSystem
) -> Disagreement:
    f = len(system.freedom.free)
    panels = []
    for p in range(len(system.layout)):
        own = slice(p * f, p * f + f)
        value, rank = _chi_square(difference[own], covariance[own, own])
        panels.append(chance_above(value, rank))
    value, rank = _chi_square(difference, covariance)
    return Disagreement(
        distances_mm=(one, other),
        chi_square=value,
        degrees_of_freedom=rank,
        p_value=chance_above(value, rank),
        panel_p_values=tuple(panels),
    )


def _chi_square(difference: Floats, covariance: Floats) -> tuple[float, int]:
    """Chi-square over the directions with a non-zero variance, and the number of these."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    good = eigenvalues > _RANK * max(float(eigenvalues[-1]), 1e-300)
    along = vectors[:, good].T @ (difference / scale)
    return float((along**2 / eigenvalues[good]).sum()), int(good.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _GaugeProjector:
    """Projector x - G K^T x, which removes k rigid motions from panel parameters (m,)."""

    gauge: Floats
    """(m, k) G."""
    held: Floats
    """(m, k) K."""

    @staticmethod
    def of(gauge: Floats, weight: Floats) -> _GaugeProjector:
        """Projector for motions ``gauge`` (m, k) and weights ``weight`` (m,) of the parameters."""
        held = weight[:, None] * gauge
        return _GaugeProjector(gauge, solve_positive_definite(gauge.T @ held, held.T).T)

    def values(self, values: Floats) -> Floats:
        """Parameters (m,) or columns (m, ...) with the rigid motions removed."""
        return np.asarray(values - self.gauge @ (self.held.T @ values))

    def covariance(self, covariance: Floats) -> Floats:
        """Covariance (m, m) of parameters with the rigid motions removed."""
        return self.values(self.values(covariance).T)
