"""The panels' corrections from the sum of what the datasets say, the prior and the gauge.

Solves (S + P' + C) step = v - P' x - C x with

* S, v the sum of the datasets' reduced normal equations,
* P' = P - P G (G^T P G)^-1 G^T P the assembly tolerance P with the rigid motions G free, since a
  tolerance speaks of panels against one another and not of where the root frame was drawn,
* C = W G (G^T W G)^-1 G^T W the gauge: the mean motion of the panels is zero, each parameter
  weighted with W, what the panel's own reflections and its tolerance say of it. W is diagonal: its
  correlations (a panel's height looks like a shift) would make up for a common tilt by shifts.

S and P' know nothing of G, so C only chooses among equal solutions; C's share of the covariance
is taken out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.errors import SolveError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.summary import Part, Statement
from calib.solve.algebra.linalg import congruence, inverse, solve_positive_definite, whitener
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.prior import PanelPrior

_SEEN_BY_DATA = 1e-4
"""A rigid motion that carries more than this share of its panels' information is no gauge."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelStep:
    """A step of the panels, and what is known of where it leads."""

    correction: Correction
    """Where the step leads."""
    tangent: Floats
    """(6 n,) the same step as tangent motions of the panels."""
    covariance: Floats
    """(n f, n f) of the free parameters, in mm and rad."""
    gauge: Floats
    """(n f, k) the rigid motions that were fixed by convention."""
    n_determined: float
    """How many panel parameters the data determine; one that only leans on the prior counts as the
    data's share in it."""
    shift_sigma: float
    """The largest change of a parameter in units of its sigma."""


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """The equations of the free parameters at some correction: ``matrix`` step = ``vector``."""

    information: Floats
    """(n f, n f) what the data say."""
    matrix: Floats
    """(n f, n f) the same with the prior and the gauge."""
    vector: Floats
    """(n f,)"""
    free: tuple[int, ...]
    """The f free parameters of a panel."""
    spread: Floats
    """(n, 6, f) carrying free parameters to tangent motions."""
    gauge: Floats
    """(n f, k) the rigid motions that are fixed by convention."""
    within: Floats
    """(k, k) covariance of these motions by that convention."""

    @property
    def unheld(self) -> Floats:
        """(n f, n f) covariance from the prior alone, with the same gauge."""
        return self.in_gauge(inverse(self.matrix - self.information))

    def in_gauge(self, covariance: Floats) -> Floats:
        """(n f, n f) a covariance without that of the rigid motions, which are a convention."""
        found = covariance - self.gauge @ self.within @ self.gauge.T
        return np.asarray(0.5 * (found + found.T))  # not every library's product is symmetric

    @property
    def data_shares(self) -> Floats:
        """(n f,) the data's share in each independent direction, ascending; 0 for the gauge."""
        whiten = whitener(self.matrix)
        shares = np.linalg.eigvalsh(whiten @ self.information @ whiten.T)
        return np.asarray(np.clip(shares, 0.0, 1.0))


class PanelSystem:
    """What stays the same through all steps: the layout, the freedom, the prior, and what datasets
    have said that are not read again."""

    def __init__(
        self,
        layout: Layout,
        freedom: Freedom,
        prior: PanelPrior,
        stored: Sequence[Statement] = (),
    ) -> None:
        self.layout = layout
        self.freedom = freedom
        self.prior = prior
        self.precision = prior.precision(layout, freedom.free)
        self.tolerance = np.sqrt(np.diag(prior.covariance(layout, freedom.free)))
        self.stored = tuple(stored)
        self._sums: dict[Part, StoredEquations] = {}

    def stored_at(self, correction: Correction, part: Part) -> list[PanelEquations]:
        """What is known beforehand, as one equation at ``correction``; none where nothing is."""
        return [self.stored_part(part).at(correction)] if self.stored else []

    def stored_part(self, part: Part) -> StoredEquations:
        """What is known beforehand, which must be something."""
        if part not in self._sums:
            self._sums[part] = StoredEquations(
                self.layout, TwistEquations.of(self.layout, self.stored, part)
            )
        return self._sums[part]

    def step(
        self,
        correction: Correction,
        equations: Sequence[PanelEquations],
        part: Part = Part.WHOLE,
    ) -> PanelStep:
        """The step from ``correction`` to the solution of the linearised problem: ``equations``,
        made of that part of the reflections, with what is known beforehand of the same part."""
        return self.step_of(correction, [*equations, *self.stored_at(correction, part)])

    def step_of(self, correction: Correction, equations: Sequence[PanelEquations]) -> PanelStep:
        """The same step from these equations alone."""
        n, free = len(self.layout), list(self.freedom.free)
        normal = self.normal(correction, equations)
        try:
            whole = inverse(normal.matrix)
        except np.linalg.LinAlgError as error:
            raise SolveError(
                "not-determined",
                "the panels' corrections are not determined by these data.",
                remedy="more datasets, --freedom in-plane, or a tighter --prior-shift-um.",
            ) from error
        solution = whole @ normal.vector
        covariance = normal.in_gauge(whole)
        sigma = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        values = correction.values.copy()
        values[:, free] += solution.reshape(n, len(free))
        return PanelStep(
            correction=Correction(values),
            tangent=np.einsum("paf,pf->pa", normal.spread, solution.reshape(n, -1)).ravel(),
            covariance=covariance,
            gauge=normal.gauge,
            n_determined=float((covariance * normal.information).sum()),
            shift_sigma=float(np.abs(solution / sigma).max()),
        )

    def normal(self, correction: Correction, equations: Sequence[PanelEquations]) -> Normal:
        """The equations of the free parameters at ``correction``, prior and gauge included."""
        free = list(self.freedom.free)
        to_tangent = tangents_from_parameters(correction)
        spread = to_tangent[:, :, free]
        information = congruence(np.asarray(sum(r.information for r in equations)), spread)
        vector = np.asarray(sum(r.vector for r in equations)).reshape(len(spread), N_PARAMETERS)
        vector = np.einsum("paf,pa->pf", spread, vector).ravel()
        weight = self.gauge_weight(correction, equations)
        frames = correction.frames(self.layout)
        centre = frames.points(0.5 * self.layout.size_mm[:, None, :])[:, 0]
        gauge = gauge_directions(frames.rotation, centre, to_tangent, self.freedom)
        gauge = self._unseen(gauge, information, weight)

        x = correction.values[:, free].ravel()
        prior = self.precision
        matrix, rhs = information + prior, vector - prior @ x
        within = np.zeros((0, 0))
        if gauge.shape[1]:
            prior = gauge_free(prior, gauge)
            pull = weight[:, None] * gauge
            within = inverse(gauge.T @ pull)
            fixed = pull @ within @ pull.T
            matrix = information + prior + fixed
            rhs = vector - prior @ x - fixed @ x
        return Normal(information, matrix, rhs, self.freedom.free, spread, gauge, within)

    def gauge_weight(self, correction: Correction, equations: Sequence[PanelEquations]) -> Floats:
        """(n f,) what the panels' own reflections and tolerance say of each free parameter."""
        to_tangent = tangents_from_parameters(correction)[:, :, list(self.freedom.free)]
        alone = sum(r.panel_information for r in equations)
        own = to_tangent.transpose(0, 2, 1) @ alone @ to_tangent
        return np.asarray(np.diagonal(own, axis1=1, axis2=2).ravel() + self.tolerance**-2.0)

    @staticmethod
    def _unseen(gauge: Floats, information: Floats, weight: Floats) -> Floats:
        """The part of ``gauge`` that no dataset sees."""
        if not gauge.shape[1]:
            return gauge
        seen, alone = gauge.T @ information @ gauge, gauge.T @ (weight[:, None] * gauge)
        whiten = whitener(alone)
        share, combinations = np.linalg.eigh(whiten @ seen @ whiten.T)
        return np.asarray(gauge @ (whiten.T @ combinations[:, share < _SEEN_BY_DATA]))


def gauge_free(precision: Floats, gauge: Floats) -> Floats:
    """A prior's inverse covariance (m, m) with the rigid motions ``gauge`` (m, k) free."""
    if not gauge.shape[1]:
        return precision
    held = precision @ gauge
    return np.asarray(precision - held @ solve_positive_definite(gauge.T @ held, held.T))
