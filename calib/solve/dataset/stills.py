"""The diffracted rays of stills.

A reflection q = A h of a still is observed although it is off the Ewald sphere by a small angle. It
is rotated to the sphere by the smallest angle, about q x s0: with u = s0 / |s0|, a = |q|^2 / 2
|s0|, b^2 = |q|^2 - a^2 and c the unit vector of q - u (u . q),

    r = -a u + b c,   s1 = s0 + r,   delta-psi = atan2(-a, b) - atan2(u . q, c . q),

which should be 0 (Sauter et al. 2014, Acta Cryst. D70, 3299; the sign is that of DIALS'
``delpsical.rad``). With e = c x u, to first order

    dr = -u (q . dq) / |s0| + c (q . dq) (1 - a / |s0|) / b + e (e . dq) b / (c . q),
    d delta-psi = -(q . dq) / (2 |s0| b) - ((c . q) u - (u . q) c) . dq / |q|^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.vectors import cross, dot


@dataclass(frozen=True, slots=True, eq=False)
class StillRays:
    """n rays, each from the point of the Ewald sphere that its reflection is nearest to."""

    s1: Floats
    """(3, n) 1/Angstrom in the laboratory; NaN where the reflection cannot reach the sphere."""
    third: Floats
    """(n,) delta-psi in rad."""
    q: Floats
    """(3, n) reciprocal lattice vectors A h."""
    u: Floats
    """(3, n) unit vectors of s0."""
    c: Floats
    """(3, n) unit vectors across u, towards q."""
    wave: Floats
    """(n,) |s0|"""
    along: Floats
    across: Floats
    """(n,) u . q and c . q."""
    a: Floats
    b: Floats
    """(n,)"""

    @staticmethod
    def of(q: Floats, s0: Floats) -> StillRays:
        """Rays of reciprocal lattice vectors ``q`` (3, n) in beams ``s0`` (3, n)."""
        wave = np.sqrt(dot(s0, s0))
        u = s0 / wave
        along = dot(u, q)
        flat = q - u * along
        across = np.sqrt(dot(flat, flat))
        a = 0.5 * dot(q, q) / wave
        with np.errstate(divide="ignore", invalid="ignore"):
            b = np.sqrt(dot(q, q) - a * a)
            c = flat / across
        third = np.arctan2(-a, b) - np.arctan2(along, across)
        return StillRays(s0 - a * u + b * c, third, q, u, c, wave, along, across, a, b)

    def by_crystal(self, by_x: Floats, by_y: Floats) -> tuple[Floats, Floats, Floats]:
        """Derivatives, (3, n) each, of x, y and delta-psi with respect to q, given those of x and y
        with respect to s1: ``by_x`` and ``by_y`` (3, n)."""
        e = cross(self.c, self.u)
        outwards = (1.0 - self.a / self.wave) / self.b
        sideways = self.b / self.across
        turn = (self.across * self.u - self.along * self.c) / dot(self.q, self.q)
        by_x, by_y = (
            self.q * (dot(v, self.c) * outwards - dot(v, self.u) / self.wave)
            + e * (dot(v, e) * sideways)
            for v in (by_x, by_y)
        )
        return by_x, by_y, -self.q / (2.0 * self.wave * self.b) - turn
