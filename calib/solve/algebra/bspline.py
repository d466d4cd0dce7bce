"""Smooth change of a crystal during a long scan: uniform cubic B-splines of few intervals.

Orientation and cell are A(phi) = exp([w(phi)]x) (1 + e(phi)) A with each of the nine components of
(w, e) a spline: on the i-th of K intervals, at the share u of it,

    c(u) = sum_k b_k(u) c_{i+k},  b = ((1-u)^3, 3u^3 - 6u^2 + 4, -3u^3 + 3u^2 + 3u + 1, u^3) / 6.

A crystal that stands still has one coefficient, with b = (1, 0, 0, 0) and no interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints

ORDER = 4
"""Coefficients that a reflection of a varying crystal depends on."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """How much a coefficient may deviate from the mean of its neighbours: one standard deviation
    of the second difference."""

    turn_rad: float = 5e-4
    strain: float = 5e-4

    def precision(self) -> Floats:
        """(9,) inverse variances of the second differences."""
        sigma = np.array([self.turn_rad] * 3 + [self.strain] * 6)
        return np.asarray(sigma**-2.0)


def basis(share: Floats) -> Floats:
    """(4, n) the cubic B-spline basis at shares (n,) of an interval."""
    u = share
    return (
        np.stack(
            [
                (1.0 - u) ** 3,
                3.0 * u**3 - 6.0 * u**2 + 4.0,
                -3.0 * u**3 + 3.0 * u**2 + 3.0 * u + 1.0,
                u**3,
            ]
        )
        / 6.0
    )


def located(phi: Floats, start_rad: float, end_rad: float, n_intervals: int) -> tuple[Ints, Floats]:
    """The interval (n,) of each angle and the share (n,) of it; angles beyond the scan's ends
    belong to its first and last interval."""
    place = (phi - start_rad) / (end_rad - start_rad) * n_intervals
    interval = np.clip(np.floor(place).astype(np.int64), 0, n_intervals - 1)
    return interval, np.clip(place - interval, 0.0, 1.0)


def second_differences(n_coefficients: int) -> Floats:
    """(n - 2, n) rows 1, -2, 1."""
    out = np.zeros((max(n_coefficients - 2, 0), n_coefficients))
    for row in range(len(out)):
        out[row, row : row + 3] = (1.0, -2.0, 1.0)
    return out
