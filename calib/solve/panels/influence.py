"""Influence of each dataset: how far the solution moves if it is omitted.

Let A x = v be the normal equations of all datasets and N_i x = v_i those of dataset i. The solution
without dataset i is x + d_i with (A - N_i) d_i = N_i x - v_i. If a dataset is one of many, a few
iterations of

    d_i <- A^-1 (N_i x - v_i + N_i d_i)

converge for all datasets at once. If a dataset alone determines some direction, they converge
slowly, and its equations are solved directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.detector.layout import Layout
from calib.model.result.report import Influence
from calib.solve.algebra.linalg import add_blocks, inverse, multiply_blocks
from calib.solve.algebra.twists import parameters_from_twists
from calib.solve.panels.stored_equations import TwistEquations
from calib.solve.panels.system import Normal

_MAX_ITERATIONS = 12
_CONVERGED_SIGMA = 1e-7
_CHUNK = 1 << 22
"""Elements in the couplings of the datasets that are treated together."""


def influences(
    layout: Layout,
    normal: Normal,
    correction: Correction,
    stored: TwistEquations,
    sigma: Floats,
) -> tuple[Influence | None, ...]:
    """Shift of the solution if each dataset is omitted; None if there is only one dataset.

    ``stored`` holds the equations of the datasets and ``normal`` their sum at ``correction``;
    ``sigma`` (n, f) are the standard uncertainties of the f free parameters of n panels. Prior and
    gauge are those of all datasets.
    """
    m, (n, f) = len(stored.coupling), sigma.shape
    if m < 2:
        return (None,) * m
    back = np.asarray(np.linalg.inv(parameters_from_twists(layout, correction.values)))
    by = back[:, :, normal.free]
    # Scaled to equations with unit diagonal.
    scale = 1.0 / np.sqrt(np.diag(normal.matrix))
    by = by * scale.reshape(n, 1, f)
    everything = normal.matrix * np.outer(scale, scale)
    covariance = inverse(everything)
    whole = covariance @ (normal.vector * scale)
    vectors = stored.at(layout, correction)[0].reshape(m, n, N_PARAMETERS, 1)
    vectors_free = (by.transpose(0, 2, 1) @ vectors).reshape(m, n * f)
    units = scale / sigma.ravel()
    rank = max(1, *(len(coupling) for coupling in stored.coupling))
    step = max(1, _CHUNK // (rank * n * f))
    found: list[Influence | None] = []
    for start in range(0, m, step):
        mine = slice(start, start + step)
        group = _Group.of(stored.own[mine], stored.coupling[mine], by)
        pull = group.times(np.broadcast_to(whole, vectors_free[mine].shape)) - vectors_free[mine]
        moved = np.abs(group.shifts_without(everything, covariance, pull, units) * units)
        found += [_influence(one, f) for one in moved]
    return tuple(found)


def _influence(moved_sigma: Floats, f: int) -> Influence:
    """Influence of a dataset, from the shifts (n f,) without it in sigma."""
    return Influence(
        rms_sigma=float(np.sqrt(np.mean(moved_sigma**2))),
        largest_sigma=float(moved_sigma.max()),
        panel=int(moved_sigma.argmax()) // f,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Normal matrices N_i = D_i - F_i^T F_i of m datasets."""

    own: Floats
    """(m, n, f, f) blocks of D."""
    rows: Floats
    """(m, r, n f) F, padded with zeros."""

    @staticmethod
    def of(own: Floats, coupling: Sequence[Floats], by: Floats) -> _Group:
        """The equations of twists, transformed to other parameters by ``by`` (n, 6, f)."""
        n, _, f = by.shape
        rows = np.zeros((len(own), max(map(len, coupling)), n * f))
        for place, one in enumerate(coupling):
            rows[place, : len(one)] = multiply_blocks(one, by)
        return _Group(by.transpose(0, 2, 1) @ own @ by, rows)

    def times(self, x: Floats) -> Floats:
        """Products N_i x_i (m, n f)."""
        m, n, f, _ = self.own.shape
        along = self.rows @ x[:, :, None]
        taken = self.rows.transpose(0, 2, 1) @ along
        return np.asarray((self.own @ x.reshape(m, n, f, 1)).reshape(m, -1) - taken[:, :, 0])

    def shifts_without(
        self, everything: Floats, covariance: Floats, pull: Floats, units: Floats
    ) -> Floats:
        """Solutions d_i (m, n f) of (A - N_i) d_i = ``pull`` (m, n f).

        ``everything`` is A (n f, n f), ``covariance`` A^-1, and ``units`` (n f,) convert d_i to
        sigma.
        """
        moved = pull @ covariance
        moving = np.ones(len(pull), dtype=np.bool_)
        for _ in range(_MAX_ITERATIONS):
            before, moved = moved, (pull + self.times(moved)) @ covariance
            moving = (np.abs(moved - before) * units).max(axis=1) > _CONVERGED_SIGMA
            if not moving.any():
                break
        for place in np.flatnonzero(moving):
            matrix = self.rows[place].T @ self.rows[place]
            matrix += everything
            add_blocks(matrix, -self.own[place])
            moved[place] = np.linalg.solve(matrix, pull[place])
        return moved
