"""The diffracted rays of rotation scans.

With r(phi) = S R(axis, phi) F A h the reflection diffracts where |r + s0| = |s0|, and
s1 = r + s0. In datum frame a cos(phi) + b sin(phi) = c with

    a = r0_perp . s0', b = (e x r0) . s0', c = -|r0|^2 / 2 - (r0 . e)(e . s0'),

r0 = F A h and s0' = S^T s0; of the two solutions the one nearest to the observation counts.
Derivatives follow from  s1 . dr + r . ds0 + s1 . (e x r) dphi = 0  and  ds1 = dr + (e x r) dphi
+ ds0 (Waterman et al. 2016, Acta Cryst. D72, 558).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats
from calib.solve.state import tilt_axes
from calib.solve.vectors import cross, dot, turned, turned_back


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
    """(3, 3, n)"""
    fixed: Floats
    """(3, 3, n)"""
    axis: Floats
    """(3, n) at datum."""
    cosine: Floats
    sine: Floats
    """(n,) of phi."""

    @staticmethod
    def of(
        r_crystal: Floats, s0: Floats, setting: Floats, fixed: Floats, axis: Floats, near: Floats
    ) -> ScanRays:
        """Reflections A h = ``r_crystal`` (3, n) near the angles ``near`` (n,)."""
        r_datum = turned(fixed, r_crystal)
        phi = _diffracting_angle(r_datum, axis, turned_back(setting, s0), near)
        cosine, sine = np.cos(phi), np.sin(phi)
        s1 = turned(setting, rotated(r_datum, axis, cosine, sine)) + s0
        return ScanRays(s1, phi, s0, setting, fixed, axis, cosine, sine)

    def by_crystal(self, by_x: Floats, by_y: Floats) -> tuple[Floats, Floats, Floats]:
        """(3, n) each: how x, y and phi change with the reflection in the crystal's frame, where
        x and y change with s1 as ``by_x`` and ``by_y`` (3, n) say."""
        swing, speed = self._swing()
        by_phi = -self.s1 / speed
        return (
            self._from_lab(by_x + dot(by_x, swing) * by_phi),
            self._from_lab(by_y + dot(by_y, swing) * by_phi),
            self._from_lab(by_phi),
        )

    def by_beam_tilt(self) -> tuple[Floats, Floats]:
        """(3, n) of s1 and (n,) of phi: change by the beam's tilt towards the spindle."""
        swing, speed = self._swing()
        ds0 = cross(tilt_axes(self.s0, turned(self.setting, self.axis)), self.s0)
        dphi = -dot(self.s1 - self.s0, ds0) / speed
        return ds0 + swing * dphi, dphi

    def _swing(self) -> tuple[Floats, Floats]:
        """(3, n) dr / dphi and (n,) s1 . dr / dphi."""
        swing = cross(turned(self.setting, self.axis), self.s1 - self.s0)
        return swing, dot(self.s1, swing)

    def _from_lab(self, covector: Floats) -> Floats:
        datum = turned_back(self.setting, covector)
        return turned_back(self.fixed, rotated(datum, self.axis, self.cosine, -self.sine))


def _diffracting_angle(r0: Floats, axis: Floats, s0: Floats, near: Floats) -> Floats:
    """(n,) the angle in rad, nearest to ``near``, at which r0 (3, n) meets the Ewald sphere."""
    along = dot(r0, axis)
    a = dot(r0, s0) - along * dot(axis, s0)
    b = dot(cross(axis, r0), s0)
    c = -0.5 * dot(r0, r0) - along * dot(axis, s0)
    with np.errstate(invalid="ignore", divide="ignore"):
        half_opening = np.arccos(c / np.hypot(a, b))
    middle = np.arctan2(b, a)
    turn = 2.0 * np.pi
    first = middle + half_opening
    second = middle - half_opening
    first += turn * np.round((near - first) / turn)
    second += turn * np.round((near - second) / turn)
    return np.where(np.abs(first - near) <= np.abs(second - near), first, second)


def rotated(v: Floats, axis: Floats, cosine: Floats, sine: Floats) -> Floats:
    """(3, n) vectors turned about unit axes (Rodrigues)."""
    along = dot(v, axis) * axis
    return np.asarray(along + (v - along) * cosine + cross(axis, v) * sine)
