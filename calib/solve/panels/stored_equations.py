"""Stored normal equations of datasets, transformed to other linearisation points.

The stored equations N (x - x0) = v hold for small changes of the parameters at x0. Let xi(x) be the
twists that move the panels from x0 to x (``calib.solve.algebra.twists``), and B the derivative of
the parameters at x0 by twists. At x the equations are

    N' dxi = v' - N' xi(x),   N' = B^T N B,   v' = B^T v.

They are invariant under rigid motions of all panels, however large.
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
"""Fraction of a panel parameter's own information below which a remainder is rounding error."""
_LEAST_SHARE_OF_PART = 1e-8
"""The same for parts of the data, which serve statistics only."""


@dataclass(frozen=True, slots=True, eq=False)
class TwistEquations:
    """Normal equations over twists of n panels, of m datasets separately: N_i = D_i - F_i^T F_i."""

    points: Floats
    """(m, n, 6) linearisation points: corrections in mm and rad."""
    own: Floats
    """(m, n, 6, 6) blocks of D_i."""
    coupling: tuple[Floats, ...]
    """m matrices F_i (r, 6 n)."""
    vector: Floats
    """(m, 6 n) right-hand sides at the linearisation points."""

    @staticmethod
    def of(layout: Layout, statements: Sequence[Statement], part: Part) -> TwistEquations:
        """Equations of one part of the reflections of each statement."""
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
        """The equations of some of the datasets, by index."""
        chosen = list(places)
        coupling = tuple(self.coupling[place] for place in chosen)
        return TwistEquations(self.points[chosen], self.own[chosen], coupling, self.vector[chosen])

    def pulled(self, layout: Layout, correction: Correction) -> tuple[Floats, Floats]:
        """N' xi (m, 6 n) and xi (m, 6 n), the twists from the linearisation points to
        ``correction``."""
        twists = twists_between(layout, self.points, correction.values)
        pulled = (self.own @ twists[..., None]).reshape(len(twists), -1)
        twists = twists.reshape(len(twists), -1)
        for row, one, along in zip(pulled, self.coupling, twists, strict=True):
            row -= (one @ along) @ one
        return pulled, twists

    def at(self, layout: Layout, correction: Correction) -> tuple[Floats, Floats]:
        """Right-hand sides (m, 6 n) at ``correction``, and the change of chi-square (m,) since the
        linearisation points, -2 v'.xi + xi.N' xi."""
        pulled, twists = self.pulled(layout, correction)
        more = ((pulled - 2.0 * self.vector) * twists).sum(axis=1)
        return self.vector - pulled, np.asarray(more)


class StoredEquations:
    """Sum of the stored normal equations of several datasets."""

    def __init__(self, layout: Layout, twist_equations: TwistEquations) -> None:
        self.twist_equations = twist_equations
        self._layout = layout
        self._own = twist_equations.own.sum(axis=0)
        coupling = np.concatenate(twist_equations.coupling)
        self._information: Floats = -(coupling.T @ coupling)
        add_blocks(self._information, self._own)

    def at(self, correction: Correction) -> PanelEquations:
        """The equations over tangent motions of the panels at ``correction``."""
        n = len(self._layout)
        back = np.asarray(np.linalg.inv(tangents_from_twists(self._layout, correction.values)))
        vector = self.twist_equations.at(self._layout, correction)[0].sum(axis=0)
        return PanelEquations(
            information=congruence(self._information, back),
            vector=np.einsum("pai,pa->pi", back, vector.reshape(n, N_PARAMETERS)).ravel(),
            panel_information=back.transpose(0, 2, 1) @ self._own @ back,
        )


def stored_form(equations: PanelEquations, correction: Correction, part: Part) -> Equations:
    """Equations over tangent motions at ``correction`` as equations over panel parameters.

    N = D - F^T F, where F comes from a pivoted Cholesky decomposition of D - N. Parts of the data,
    which serve statistics only, are rounded to single precision.
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
