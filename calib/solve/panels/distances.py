"""Datasets by their distance.

Whether one set of corrections describes all distances.

Two solutions from disjoint data share the prior P. With C_i their covariances, their difference
has the covariance

    C_1 + C_2 - C_1 P C_2 - C_2 P C_1,

since what the prior says is the same in both. It is tested per panel and as a whole, after both
are brought to the same gauge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.result.report import SAME_DISTANCE, Disagreement
from calib.solve.algebra.linalg import solve_positive_definite
from calib.solve.algebra.statistics import chance_above
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelSystem, gauge_free


def distance_groups(distances_mm: Sequence[float]) -> tuple[list[float], list[int]]:
    """Distances within 1 % of one another as one: the smallest of each group, ascending, and the
    group that each belongs to."""
    group = [0] * len(distances_mm)
    bounds: list[float] = []
    for distance, place in sorted((d, i) for i, d in enumerate(distances_mm)):
        if not bounds or distance > bounds[-1] * (1.0 + SAME_DISTANCE):
            bounds.append(distance)
        group[place] = len(bounds) - 1
    return bounds, group


_RANK = 1e-9


def disagreements(
    system: PanelSystem,
    correction: Correction,
    groups: Sequence[tuple[float, Sequence[PanelEquations]]],
) -> tuple[Disagreement, ...]:
    """Every pair of distances compared: ``groups`` holds each distance in mm with the reduced
    normal equations of its datasets, linearised at ``correction``."""
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
    """Over the directions in which the covariance has any extent, and how many these are."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    good = eigenvalues > _RANK * max(float(eigenvalues[-1]), 1e-300)
    along = vectors[:, good].T @ (difference / scale)
    return float((along**2 / eigenvalues[good]).sum()), int(good.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _GaugeProjector:
    """Takes the weighted mean of k rigid motions out: x - G K^T x."""

    gauge: Floats
    """(m, k) G."""
    held: Floats
    """(m, k) K."""

    @staticmethod
    def of(gauge: Floats, weight: Floats) -> _GaugeProjector:
        """For motions ``gauge`` (m, k), weighted with ``weight`` (m,)."""
        held = weight[:, None] * gauge
        return _GaugeProjector(gauge, solve_positive_definite(gauge.T @ held, held.T).T)

    def values(self, values: Floats) -> Floats:
        """(m,) or (m, ...) without."""
        return np.asarray(values - self.gauge @ (self.held.T @ values))

    def covariance(self, covariance: Floats) -> Floats:
        """(m, m) of values without."""
        return self.values(self.values(covariance).T)
