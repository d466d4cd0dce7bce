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

ORDER, LINEAR = 4, 2
"""Number of spline coefficients that a reflection of a scan-varying crystal depends on: of cubic
splines, and where crystals change linearly (one interval, b = (1 - u, u))."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """Standard deviations that are learned from the data: how smooth crystals are along scans, and
    how close to their symmetry."""

    turn_rad: float = 5e-4
    """Of the second differences of spline coefficients of the rotation."""
    strain: float = 5e-4
    """Of those of the strain, without unit."""
    forbidden: float = 1e-3
    """Of each strain that the symmetry forbids, as its mean over the scan."""
    net_turn: float = 1.0
    """Of the net rotation over a scan, in units of the fixed prior (``ChangePrior``)."""
    net_strain: float = 1.0
    """Of the net strain, likewise."""
    shift_mm: float = 0.1
    """Of the shift of spots, in each direction, that is linear in time."""
    bend_mm: float = 0.05
    """Of each coefficient of higher degree."""

    @property
    def widths(self) -> Floats:
        """(7,) all of them, in the order of the fields."""
        crystal = [self.turn_rad, self.strain, self.forbidden, self.net_turn, self.net_strain]
        return np.array([*crystal, self.shift_mm, self.bend_mm])


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


def linear_basis(fraction: Floats) -> Floats:
    """Basis (2, n) of a straight line at positions ``fraction`` (n,) in [0, 1]."""
    return np.stack([1.0 - fraction, fraction])


def located(phi: Floats, start_rad: float, end_rad: float, n_intervals: int) -> tuple[Ints, Floats]:
    """Interval index (n,) and position in [0, 1] within the interval (n,) of each angle in rad.

    Angles beyond the ends of the scan belong to its first or last interval.
    """
    place = (phi - start_rad) / (end_rad - start_rad) * n_intervals
    interval = np.clip(np.floor(place).astype(np.int64), 0, n_intervals - 1)
    return interval, np.clip(place - interval, 0.0, 1.0)


def net_change(n_coefficients: int, order: int) -> Floats:
    """(n,) what the coefficients of a spline of ``order`` 4, or of a straight line (2), are
    multiplied by and summed: the change from the first interval's start to the last one's end."""
    out = np.zeros(n_coefficients)
    if n_coefficients > 1:
        out[0], out[-1] = -1.0, 1.0
        out *= (n_coefficients - order + 1) / (n_coefficients - 1)
    return out


def second_differences(n_coefficients: int) -> Floats:
    """Matrix (n - 2, n) of second differences, with rows 1, -2, 1."""
    out = np.zeros((max(n_coefficients - 2, 0), n_coefficients))
    for row in range(len(out)):
        out[row, row : row + 3] = (1.0, -2.0, 1.0)
    return out
