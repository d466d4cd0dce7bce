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
from scipy.linalg.lapack import dpstrf

from calib.model.arrays import Floats
from calib.model.correction import Correction
from calib.model.layout import Layout
from calib.model.summary import Equations, Part, Statement
from calib.solve.eliminate import Share
from calib.solve.rigid import tangents_from_parameters
from calib.solve.twist import parameters_from_twists, tangents_from_twists, twists_between

_LEAST_SHARE = 1e-13
"""Of a panel parameter's own information: what an elimination took below this is rounding."""
_LEAST_SHARE_OF_PART = 1e-8
"""The same where only statistics rest on the equations."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """One part of a statement as equations over twists."""

    point: Correction
    own: Floats
    """(n, 6, 6)"""
    coupling: Floats
    """(r, 6 n)"""
    vector: Floats
    """(6 n,)"""

    @staticmethod
    def of(layout: Layout, statement: Statement, part: Part) -> Spoken:
        """A part of a statement about this layout."""
        said, n = statement.part(part), len(layout)
        by = parameters_from_twists(layout, statement.point)
        coupling = np.einsum("rpa,pai->rpi", said.coupling.reshape(-1, n, 6), by, optimize=True)
        return Spoken(
            point=statement.point,
            own=by.transpose(0, 2, 1) @ said.own @ by,
            coupling=coupling.reshape(-1, 6 * n),
            vector=np.einsum("pai,pa->pi", by, said.vector.reshape(n, 6)).ravel(),
        )

    def product(self, twists: Floats) -> Floats:
        """(6 n,) N' @ twists."""
        panels = np.einsum("pij,pj->pi", self.own, twists.reshape(-1, 6)).ravel()
        return np.asarray(panels - self.coupling.T @ (self.coupling @ twists))

    def at(self, layout: Layout, correction: Correction) -> tuple[Floats, float]:
        """(6 n,) the vector at ``correction``, and by how much chi-square is larger there than
        where it was linearised: -2 v'.xi + xi.N' xi."""
        twists = twists_between(layout, self.point, correction)
        pulled = self.product(twists)
        return self.vector - pulled, float((pulled - 2.0 * self.vector) @ twists)


class Known:
    """The sum of one part of some statements about a layout."""

    def __init__(self, layout: Layout, statements: Sequence[Statement], part: Part) -> None:
        self._layout = layout
        self._spoken = [Spoken.of(layout, one, part) for one in statements]
        n = len(layout)
        self._own = np.sum([one.own for one in self._spoken], axis=0)
        coupling = np.concatenate([one.coupling for one in self._spoken])
        self._information: Floats = -(coupling.T @ coupling)
        panels = self._information.reshape(n, 6, n, 6)
        panels[np.arange(n), :, np.arange(n)] += self._own

    def at(self, correction: Correction) -> Share:
        """The same as equations of tangent motions at ``correction``."""
        n = len(self._layout)
        back = np.asarray(np.linalg.inv(tangents_from_twists(self._layout, correction)))
        vector = np.sum([one.at(self._layout, correction)[0] for one in self._spoken], axis=0)
        return Share(
            information=_turned(self._information, back),
            vector=np.einsum("pai,pa->pi", back, vector.reshape(n, 6)).ravel(),
            panel_information=back.transpose(0, 2, 1) @ self._own @ back,
        )


def equations_of(said: Share, correction: Correction, part: Part) -> Equations:
    """Equations of tangent motions at ``correction`` as those of correction parameters.

    N = D - F^T F by a pivoted Cholesky decomposition of D - N. Those that serve statistics alone
    are kept in single precision.
    """
    n = len(said.panel_information)
    turn = tangents_from_parameters(correction)
    own = turn.transpose(0, 2, 1) @ said.panel_information @ turn
    taken = -_turned(said.information, turn)
    panels = taken.reshape(n, 6, n, 6)
    panels[np.arange(n), :, np.arange(n)] += own
    scale = np.sqrt(np.diagonal(own, axis1=1, axis2=2).ravel())
    scale[scale == 0.0] = 1.0
    exact = part is Part.WHOLE
    least = _LEAST_SHARE if exact else _LEAST_SHARE_OF_PART
    share = taken / np.outer(scale, scale)
    factor, order, rank, _ = dpstrf(share, tol=least)
    if np.diag(share).max() <= least:  # older LAPACKs take the first pivot whatever it is
        rank = 0
    coupling = np.zeros((rank, 6 * n))
    coupling[:, order - 1] = np.triu(factor)[:rank]
    coupling *= scale
    if not exact:
        coupling = coupling.astype(np.float32).astype(np.float64)
    vector = np.einsum("pai,pa->pi", turn, said.vector.reshape(n, 6)).ravel()
    return Equations(0.5 * (own + own.transpose(0, 2, 1)), coupling, vector)


def _turned(information: Floats, by: Floats) -> Floats:
    """B^T N B with B (n, 6, 6) in blocks."""
    n = len(by)
    blocks = information.reshape(n, 6, n, 6)
    left = np.einsum("pai,paqb->piqb", by, blocks, optimize=True)
    both = np.einsum("piqb,qbj->piqj", left, by, optimize=True)
    return np.asarray(both.reshape(6 * n, 6 * n))
