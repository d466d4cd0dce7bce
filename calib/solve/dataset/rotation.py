"""The diffracted rays of rotation scans.

With r(phi) = S R(e, phi) F A h the reflection diffracts where |r + s0| = |s0|, and s1 = r + s0.
Along axes whose third is the spindle, r0 = Q F A h and s0' = Q S^T s0 with Q e = z, this is
a cos(phi) + b sin(phi) = c with

    a = x s0'_x + y s0'_y, b = x s0'_y - y s0'_x, c = -|r0|^2 / 2 - z s0'_z;

of the two solutions the one nearest to the observation is taken.
Derivatives follow from  s1 . dr + r . ds0 + s1 . (e x r) dphi = 0  and  ds1 = dr + (e x r) dphi
+ ds0 (Waterman et al. 2016, Acta Cryst. D72, 558).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.vectors import cross, dot, turned, turned_back
from calib.solve.dataset.parameters import tilt_axes


@dataclass(frozen=True, slots=True, eq=False)
class ScanRays:
    """n rays, each at the angle at which its reflection diffracts."""

    s1: Floats
    """(3, n) 1/Angstrom in the laboratory; NaN where the reflection never diffracts."""
    third: Floats
    """(n,) phi in rad."""
    s0: Floats
    """(3, n)"""
    setting: Floats
    """(3, 3, n) from the spindle's axes to the laboratory, as in ``Instrument``."""
    fixed: Floats
    """(3, 3, n) from the crystal at datum to the spindle's axes."""
    turned: Floats
    """(3, n) reciprocal lattice vectors at phi, along the spindle's axes."""
    cosine: Floats
    sine: Floats
    """(n,) of phi."""

    @staticmethod
    def of(r_crystal: Floats, s0: Floats, setting: Floats, fixed: Floats, near: Floats) -> ScanRays:
        """Rays of reflections with A h = ``r_crystal`` (3, n), near the angles ``near`` (n,)."""
        r = turned(fixed, r_crystal)
        phi = _diffracting_angle(r, turned_back(setting, s0), near)
        cosine, sine = np.cos(phi), np.sin(phi)
        r = _about_z(r, cosine, sine)
        return ScanRays(turned(setting, r) + s0, phi, s0, setting, fixed, r, cosine, sine)

    def by_crystal(self, by_x: Floats, by_y: Floats) -> tuple[Floats, Floats, Floats]:
        """Derivatives, (3, n) each, of x, y and phi with respect to A h in the crystal's frame,
        given those of x and y with respect to s1: ``by_x`` and ``by_y`` (3, n)."""
        swing, speed = self._swing()
        by_phi = -self.s1 / speed
        return (
            self._from_lab(by_x + dot(by_x, swing) * by_phi),
            self._from_lab(by_y + dot(by_y, swing) * by_phi),
            self._from_lab(by_phi),
        )

    def by_beam_tilt(self) -> tuple[Floats, Floats]:
        """Derivatives of s1 (3, n) and phi (n,) with respect to the beam's tilt to the spindle."""
        swing, speed = self._swing()
        ds0 = cross(tilt_axes(self.s0, self.setting[:, 2]), self.s0)
        dphi = -dot(self.s1 - self.s0, ds0) / speed
        return ds0 + swing * dphi, dphi

    def _swing(self) -> tuple[Floats, Floats]:
        """dr / dphi (3, n) and s1 . dr / dphi (n,)."""
        x, y, z = self.turned
        swing = turned(self.setting, np.stack([-y, x, np.zeros_like(z)]))
        return swing, dot(self.s1, swing)

    def _from_lab(self, covector: Floats) -> Floats:
        along = turned_back(self.setting, covector)
        return turned_back(self.fixed, _about_z(along, self.cosine, -self.sine))


def _diffracting_angle(r: Floats, s0: Floats, near: Floats) -> Floats:
    """Angles (n,) in rad, nearest to ``near``, at which r (3, n), rotated about z, is on the Ewald
    sphere."""
    a = r[0] * s0[0] + r[1] * s0[1]
    b = r[0] * s0[1] - r[1] * s0[0]
    c = -0.5 * dot(r, r) - r[2] * s0[2]
    with np.errstate(invalid="ignore", divide="ignore"):
        half_opening = np.arccos(c / np.hypot(a, b))
    middle = np.arctan2(b, a)
    turn = 2.0 * np.pi
    first = middle + half_opening
    second = middle - half_opening
    first += turn * np.round((near - first) / turn)
    second += turn * np.round((near - second) / turn)
    nearer: Floats = np.where(np.abs(first - near) <= np.abs(second - near), first, second)
    return nearer


def _about_z(v: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Vectors (3, n) rotated about z."""
    return np.stack([v[0] * cosine - v[1] * sine, v[0] * sine + v[1] * cosine, v[2]])


def rotated(v: Floats, axis: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Vectors (3, n) rotated about unit axes (Rodrigues)."""
    along = dot(v, axis) * axis
    return np.asarray(along + (v - along) * cosine + cross(axis, v) * sine)
