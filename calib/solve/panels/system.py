"""Normal equations of the panel corrections: data, prior and gauge.

Solves (S + P' + C) step = v - P' x - C x with

* S, v the sum of the datasets' normal equations, with crystals and poses eliminated,
* P' = P - P G (G^T P G)^-1 G^T P the inverse covariance P of the prior with the rigid motions G
  free, since assembly tolerances concern panels relative to one another, not the root frame,
* C = W G (G^T W G)^-1 G^T W the gauge: the weighted mean motion of the panels is zero. The weights
W
  are each parameter's information from the panel's own reflections and from its tolerance. W is
  diagonal; its correlations (a height resembles a shift) would compensate a common tilt by shifts.

S G = P' G = 0, so C only selects one of equivalent solutions; its contribution to the covariance is
subtracted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from calib.errors import SolveError
from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import N_PARAMETERS, Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.summary import Part, Statement
from calib.solve.algebra.linalg import congruence, gauge_free, inverse, whitener
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.prior_widths import DataEquations, learn_widths
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.prior import PanelPrior

_SEEN_BY_DATA = 1e-4
"""A rigid motion that keeps more than this fraction of its panels' information is no gauge."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelStep:
    """A step of the panel corrections, with the covariance at its end."""

    correction: Correction
    """Corrections after the step."""
    tangent: Floats
    """(6 n,) the same step as tangent motions of the panels."""
    covariance: Floats
    """(n f, n f) of the free parameters, in mm and rad."""
    gauge: Floats
    """(n f, k) rigid motions that are fixed by convention."""
    n_determined: float
    """Effective number of parameters determined by the data: the sum of the fractions determined by
    data rather than prior."""
    shift_sigma: float
    """Largest change of a parameter, in sigma."""


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Normal equations of the f free parameters of n panels: ``matrix`` step = ``vector``."""

    information: Floats
    """(n f, n f) information of the data."""
    matrix: Floats
    """(n f, n f) information with prior and gauge."""
    pull: Floats
    """(n f,) right-hand side of the data."""
    vector: Floats
    """(n f,) right-hand side with prior and gauge."""
    fixed: Floats
    """(n f, n f) information of the gauge convention."""
    free: tuple[int, ...]
    """The f free parameters of a panel."""
    spread: Floats
    """(n, 6, f) derivatives of tangent motions by the free parameters."""
    gauge: Floats
    """(n f, k) rigid motions that are fixed by convention."""
    within: Floats
    """(k, k) covariance of these motions that the convention implies."""

    @property
    def unheld(self) -> Floats:
        """Covariance (n f, n f) from the prior alone, in the same gauge."""
        return self.in_gauge(inverse(self.matrix - self.information))

    def in_gauge(self, covariance: Floats) -> Floats:
        """A covariance (n f, n f) without the contribution of the gauge convention."""
        found = covariance - self.gauge @ self.within @ self.gauge.T
        return np.asarray(0.5 * (found + found.T))  # not every library's product is symmetric

    @property
    def data_shares(self) -> Floats:
        """Fractions (n f,) determined by data in independent directions, ascending."""
        whiten = whitener(self.matrix)
        shares = np.linalg.eigvalsh(whiten @ self.information @ whiten.T)
        return np.asarray(np.clip(shares, 0.0, 1.0))


class PanelSystem:
    """Layout, free parameters, prior and stored equations, which are the same for all steps."""

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
        typed = replace(prior, learned=None)
        self.tolerance = np.sqrt(np.diag(typed.covariance(layout, freedom.free)))
        """(n f,) assembly tolerances of the free parameters, also where widths are learned."""
        self.nodes: tuple[PanelPrior, ...] = ()
        """Priors that represent the uncertainty of the learned widths; empty if it is small."""
        self.stored = tuple(stored)
        self._sums: dict[Part, StoredEquations] = {}

    def learned(self, correction: Correction, equations: Sequence[PanelEquations]) -> PanelSystem:
        """The system with the widths of its prior learned from ``equations`` at ``correction``;
        the same system if the prior is held."""
        if self.prior.held:
            return self
        normal = self.normal(correction, equations)
        x = correction.values[:, self.freedom.free].ravel()
        stated = DataEquations(
            information=normal.information,
            vector=normal.pull + normal.information @ x,
            gauge=normal.gauge,
            fixed=normal.fixed,
            seen=_seen(equations),
        )
        prior, nodes = learn_widths(self.prior, self.layout, self.freedom.free, stated)
        found = copy(self)
        found.nodes = nodes
        found._set_prior(prior)
        return found

    def _set_prior(self, prior: PanelPrior) -> None:
        self.prior = prior
        self.precision = prior.precision(self.layout, self.freedom.free)

    def covariance(self, correction: Correction, equations: Sequence[PanelEquations]) -> Floats:
        """Covariance (n f, n f) of the solution at ``correction``, integrated over the uncertainty
        of the prior's widths: the mean over its nodes of their covariances and of the squared
        differences of their solutions."""
        step = self.step_of(correction, equations)
        if not self.nodes:
            return step.covariance
        free, total = list(self.freedom.free), np.zeros_like(step.covariance)
        there = step.correction.values[:, free].ravel()
        for node in self.nodes:
            other = copy(self)
            other._set_prior(node)
            found = other.step_of(correction, equations)
            apart = found.correction.values[:, free].ravel() - there
            total += found.covariance + np.outer(apart, apart)
        return np.asarray(total / len(self.nodes))

    def stored_at(self, correction: Correction, part: Part) -> list[PanelEquations]:
        """The stored equations at ``correction``, summed; empty if there are none."""
        return [self.stored_part(part).at(correction)] if self.stored else []

    def stored_part(self, part: Part) -> StoredEquations:
        """The stored equations of one part of the reflections; there must be some."""
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
        """Step to the solution of ``equations`` of a part of the reflections, linearised at
        ``correction``, together with the stored equations of the same part."""
        return self.step_of(correction, [*equations, *self.stored_at(correction, part)])

    def step_of(self, correction: Correction, equations: Sequence[PanelEquations]) -> PanelStep:
        """Step to the solution of these equations, linearised at ``correction``."""
        n, free = len(self.layout), list(self.freedom.free)
        normal = self.normal(correction, equations)
        try:
            whole = inverse(normal.matrix)
        except np.linalg.LinAlgError as error:
            raise SolveError(
                "not-determined",
                "these data do not determine the panel corrections.",
                remedy="add datasets, or use --freedom in-plane or a smaller --prior-shift-um.",
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
        """Normal equations of the free parameters at ``correction``, with prior and gauge."""
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
        within, fixed = np.zeros((0, 0)), np.zeros_like(matrix)
        if gauge.shape[1]:
            prior = gauge_free(prior, gauge)
            pull = weight[:, None] * gauge
            within = inverse(gauge.T @ pull)
            fixed = pull @ within @ pull.T
            matrix = information + prior + fixed
            rhs = vector - prior @ x - fixed @ x
        return Normal(
            information, matrix, vector, rhs, fixed, self.freedom.free, spread, gauge, within
        )

    def gauge_weight(self, correction: Correction, equations: Sequence[PanelEquations]) -> Floats:
        """Information (n f,) on each parameter from its panel's own reflections and tolerance."""
        to_tangent = tangents_from_parameters(correction)[:, :, list(self.freedom.free)]
        alone = sum(r.panel_information for r in equations)
        own = to_tangent.transpose(0, 2, 1) @ alone @ to_tangent
        return np.asarray(np.diagonal(own, axis1=1, axis2=2).ravel() + self.tolerance**-2.0)

    @staticmethod
    def _unseen(gauge: Floats, information: Floats, weight: Floats) -> Floats:
        """The rigid motions among ``gauge`` (m, k) that the data do not determine."""
        if not gauge.shape[1]:
            return gauge
        seen, alone = gauge.T @ information @ gauge, gauge.T @ (weight[:, None] * gauge)
        whiten = whitener(alone)
        share, combinations = np.linalg.eigh(whiten @ seen @ whiten.T)
        return np.asarray(gauge @ (whiten.T @ combinations[:, share < _SEEN_BY_DATA]))


def _seen(equations: Sequence[PanelEquations]) -> Bools:
    """(n,) panels with reflections."""
    alone = sum(one.panel_information for one in equations)
    return np.asarray(np.trace(np.asarray(alone), axis1=1, axis2=2) > 0.0)
