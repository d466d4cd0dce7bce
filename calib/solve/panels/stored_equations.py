"""Statements of datasets that are not read again, as equations at any linearisation point.

A statement N (x - x0) = v is about small changes of the parameters at x0. With xi(x) the twists
that carry the panels from x0 to x (``twist``), it says that at x

    v_xi = v' - N' xi(x),   N' = B^T N B,   v' = B^T v,

where B carries twists to changes of the parameters at x0. A rigid motion of all panels, however
large, changes none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.detector.layout import Layout
from calib.model.result.summary import Equations, Part, Statement
from calib.solve.algebra.linalg import add_blocks, congruence, multiply_blocks, pivoted_factor
from calib.solve.algebra.rigid_motion import tangents_from_parameters
from calib.solve.algebra.twists import parameters_from_twists, tangents_from_twists, twists_between
from calib.solve.dataset.panel_equations import PanelEquations

_LEAST_SHARE = 1e-13
"""Of a panel parameter's own information: what an elimination took below this is rounding."""
_LEAST_SHARE_OF_PART = 1e-8
"""The same where only statistics rest on the equations."""


@dataclass(frozen=True, slots=True, eq=False)
class TwistEquations:
    """One part of m statements about n panels, each by itself, as equations over twists."""

    points: Floats
    """(m, n, 6) the corrections that they are linearised at."""
    own: Floats
    """(m, n, 6, 6)"""
    coupling: tuple[Floats, ...]
    """m times (r, 6 n)"""
    vector: Floats
    """(m, 6 n)"""

    @staticmethod
    def of(layout: Layout, statements: Sequence[Statement], part: Part) -> TwistEquations:
        """A part of statements about this layout."""
        equations = [one.part(part) for one in statements]
        points = np.stack([one.point.values for one in statements])
        by = parameters_from_twists(layout, points)
        vector = np.stack([one.vector for one in equations]).reshape(*points.shape, 1)
        return TwistEquations(
            points=points,
            own=by.swapaxes(-1, -2) @ np.stack([one.own for one in equations]) @ by,
            coupling=tuple(
                multiply_blocks(one.coupling, own) for one, own in zip(equations, by, strict=True)
            ),
            vector=(by.swapaxes(-1, -2) @ vector).reshape(len(equations), -1),
        )

    def __getitem__(self, places: Sequence[int]) -> TwistEquations:
        """Those at some places."""
        chosen = list(places)
        coupling = tuple(self.coupling[place] for place in chosen)
        return TwistEquations(self.points[chosen], self.own[chosen], coupling, self.vector[chosen])

    def pulled(self, layout: Layout, correction: Correction) -> tuple[Floats, Floats]:
        """(m, 6 n) N' xi and (m, 6 n) xi, the twists from where each was linearised to
        ``correction``."""
        twists = twists_between(layout, self.points, correction.values)
        pulled = (self.own @ twists[..., None]).reshape(len(twists), -1)
        twists = twists.reshape(len(twists), -1)
        for row, one, along in zip(pulled, self.coupling, twists, strict=True):
            row -= (one @ along) @ one
        return pulled, twists

    def at(self, layout: Layout, correction: Correction) -> tuple[Floats, Floats]:
        """(m, 6 n) the vectors at ``correction``, and (m,) by how much chi-square is larger there
        than where they were linearised: -2 v'.xi + xi.N' xi."""
        pulled, twists = self.pulled(layout, correction)
        more = ((pulled - 2.0 * self.vector) * twists).sum(axis=1)
        return self.vector - pulled, np.asarray(more)


class StoredEquations:
    """The sum of one part of some statements about a layout."""

    def __init__(self, layout: Layout, twist_equations: TwistEquations) -> None:
        self.twist_equations = twist_equations
        self._layout = layout
        self._own = twist_equations.own.sum(axis=0)
        coupling = np.concatenate(twist_equations.coupling)
        self._information: Floats = -(coupling.T @ coupling)
        add_blocks(self._information, self._own)

    def at(self, correction: Correction) -> PanelEquations:
        """The same as equations of tangent motions at ``correction``."""
        n = len(self._layout)
        back = np.asarray(np.linalg.inv(tangents_from_twists(self._layout, correction.values)))
        vector = self.twist_equations.at(self._layout, correction)[0].sum(axis=0)
        return PanelEquations(
            information=congruence(self._information, back),
            vector=np.einsum("pai,pa->pi", back, vector.reshape(n, N_PARAMETERS)).ravel(),
            panel_information=back.transpose(0, 2, 1) @ self._own @ back,
        )


def stored_form(equations: PanelEquations, correction: Correction, part: Part) -> Equations:
    """Equations of tangent motions at ``correction`` as those of correction parameters.

    N = D - F^T F by a pivoted Cholesky decomposition of D - N. Those that serve statistics alone
    are kept in single precision.
    """
    n = len(equations.panel_information)
    turn = tangents_from_parameters(correction)
    own = turn.transpose(0, 2, 1) @ equations.panel_information @ turn
    taken = -congruence(equations.information, turn)
    add_blocks(taken, own)
    scale = np.sqrt(np.diagonal(own, axis1=1, axis2=2).ravel())
    scale[scale == 0.0] = 1.0
    exact = part is Part.WHOLE
    least = _LEAST_SHARE if exact else _LEAST_SHARE_OF_PART
    coupling = pivoted_factor(taken / np.outer(scale, scale), least) * scale
    if not exact:
        coupling = coupling.astype(np.float32).astype(np.float64)
    vector = np.einsum("pai,pa->pi", turn, equations.vector.reshape(n, N_PARAMETERS)).ravel()
    return Equations(0.5 * (own + own.transpose(0, 2, 1)), coupling, vector)
