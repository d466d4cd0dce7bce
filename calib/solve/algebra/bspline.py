"""Uniform cubic B-splines for the smooth change of a crystal during a scan.

Orientation and cell are A(phi) = exp([w(phi)]x) (1 + e(phi)) A, where each of the nine components
of (w, e) is a spline. With u in [0, 1] the position within the i-th of K intervals,

    c(u) = sum_k b_k(u) c_{i+k},  b = ((1-u)^3, 3u^3 - 6u^2 + 4, -3u^3 + 3u^2 + 3u + 1, u^3) / 6.

A static crystal has one coefficient, with b = (1, 0, 0, 0), and no intervals. The functions are
those of ``scipy.interpolate.BSpline``, whose loading and evaluation cost more (decision 0027).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints

ORDER = 4
"""Number of spline coefficients that a reflection of a scan-varying crystal depends on."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """Smoothness: one standard deviation of the second differences of spline coefficients."""

    turn_rad: float = 5e-4
    """Of the rotation."""
    strain: float = 5e-4
    """Of the strain, without unit."""

    def precision(self) -> Floats:
        """Inverse variances (9,) of the second differences: rotation in rad, strain."""
        sigma = np.array([self.turn_rad] * 3 + [self.strain] * 6)
        return np.asarray(sigma**-2.0)


def basis(fraction: Floats) -> Floats:
    """Cubic B-spline basis (4, n) at positions ``fraction`` (n,) in [0, 1] within an interval."""
    u = fraction
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
    """Interval index (n,) and position in [0, 1] within the interval (n,) of each angle in rad.

    Angles beyond the ends of the scan belong to its first or last interval.
    """
    place = (phi - start_rad) / (end_rad - start_rad) * n_intervals
    interval = np.clip(np.floor(place).astype(np.int64), 0, n_intervals - 1)
    return interval, np.clip(place - interval, 0.0, 1.0)


def second_differences(n_coefficients: int) -> Floats:
    """Matrix (n - 2, n) of second differences, with rows 1, -2, 1."""
    out = np.zeros((max(n_coefficients - 2, 0), n_coefficients))
    for row in range(len(out)):
        out[row, row : row + 3] = (1.0, -2.0, 1.0)
    return out
