"""Where a rotation scan's reflections fall, and how that changes with every parameter.

With r(phi) = S R(axis, phi) F A h the reflection diffracts where |r + s0| = |s0|; the ray
s1 = r + s0 then crosses the panel. In datum frame a cos(phi) + b sin(phi) = c with

    a = r0_perp . s0', b = (e x r0) . s0', c = -|r0|^2 / 2 - (r0 . e)(e . s0'),

r0 = F A h and s0' = S^T s0; of the two solutions the one nearest to the observation counts.
Derivatives follow from  s1 . dr + r . ds0 + s1 . (e x r) dphi = 0  and  ds1 = dr + (e x r) dphi
+ ds0 (Waterman et al. 2016, Acta Cryst. D72, 558).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats, Ints
from calib.model.layout import PanelFrames
from calib.solve.observations import Observations
from calib.solve.spline import ORDER
from calib.solve.state import CRYSTAL_COLUMNS, Instrument, State, tilt_axes
from calib.solve.vectors import cross, dot, shared, turned, turned_back

PANEL_COLUMNS = 6
BEAM_COLUMN = PANEL_COLUMNS + CRYSTAL_COLUMNS
"""Columns of the derivatives: panel (6), crystal (9), beam tilt (1), and the residual."""
RESIDUAL_COLUMN = BEAM_COLUMN + 1
N_COLUMNS = RESIDUAL_COLUMN + 1


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Calculated centroids of n reflections and, where asked for, their derivatives."""

    calculated: Floats
    """(3, n) x, y in mm and phi in rad; NaN where the reflection never diffracts."""
    jacobian: Floats | None
    """(3, 17, n) of x, y, phi by the panel's tangent motion (translation in mm and rotation in
    rad about its centre, in its own current frame), the crystal's rotation and strain, and the
    beam's tilt; last the residual, observed minus calculated."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Everything that stands still during one pass: panels in the laboratory for each pose."""

    instrument: Instrument
    state: State
    panel_rotation: Floats
    """(3, 3, p, n_panels) lab_from_panel."""
    panel_centre_mm: Floats
    """(3, p, n_panels)"""
    panel_half_mm: Floats
    """(2, n_panels) half the extent of each panel."""

    @staticmethod
    def of(
        instrument: Instrument, state: State, root_frames: PanelFrames, size_mm: Floats
    ) -> Stage:
        """Panels at ``root_frames`` relative to the root, seen through the state's poses."""
        half = 0.5 * size_mm
        centre_root = root_frames.points(half[:, None, :])[:, 0]
        rotation = np.einsum("pij,njk->ikpn", state.rotation, root_frames.rotation)
        centre = np.einsum("pij,nj->ipn", state.rotation, centre_root)
        centre += state.translation_mm.T[:, :, None]
        return Stage(instrument, state, rotation, centre, half.T)

    def predict(self, seen: Observations, part: slice, *, derivatives: bool) -> Prediction:
        """Centroids of the reflections ``part`` of ``seen``."""
        # Reflections are sorted by experiment and panel: what a part shares is not repeated.
        experiment, panel = shared(seen.experiment[part]), seen.panel[part]
        if len(experiment) == 1:
            panel = shared(panel)
        held, state = self.instrument, self.state
        setting, axis = held.setting[:, :, experiment], held.axis[:, experiment]
        s0 = state.s0[:, experiment]
        r_crystal = turned(
            state.a_matrix.transpose(1, 2, 0)[:, :, held.crystal[experiment]], seen.hkl[:, part]
        )
        if seen.basis is not None:
            r_crystal = _drifted(r_crystal, state.drift, seen.first[part], seen.basis[:, part])
        fixed = held.fixed[:, :, experiment]
        r_datum = turned(fixed, r_crystal)
        phi = _diffracting_angle(r_datum, axis, turned_back(setting, s0), seen.observed[2, part])
        cosine, sine = np.cos(phi), np.sin(phi)
        r = turned(setting, _rotated(r_datum, axis, cosine, sine))
        s1 = r + s0
        pose = held.pose[experiment]
        rotation = self.panel_rotation[:, :, pose, panel]
        k = turned_back(rotation, s1)
        away = turned_back(rotation, self.panel_centre_mm[:, pose, panel])
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = away[2] / k[2]
            q1, q2 = k[0] / k[2], k[1] / k[2]
        from_centre = np.stack([q1 * away[2] - away[0], q2 * away[2] - away[1]])
        calculated = np.concatenate([from_centre + self.panel_half_mm[:, panel], phi[None]])
        calculated[:, ~(reach > 0.0)] = np.nan
        if not derivatives:
            return Prediction(calculated, None)

        out = np.zeros((3, N_COLUMNS, len(phi)))
        out[:, RESIDUAL_COLUMN] = seen.observed[:, part] - calculated
        _panel_derivatives(out, from_centre, q1, q2)
        swing = cross(turned(setting, axis), r)
        speed = dot(s1, swing)
        fast, slow, normal = rotation[:, 0], rotation[:, 1], rotation[:, 2]
        by_phi = -s1 / speed
        by_s1 = (reach * (fast - q1 * normal), reach * (slow - q2 * normal))
        by_r = (*(c + dot(c, swing) * by_phi for c in by_s1), by_phi)
        for row, covector in enumerate(by_r):
            datum = turned_back(setting, covector)
            crystal = turned_back(fixed, _rotated(datum, axis, cosine, -sine))
            _crystal_derivatives(out[row], crystal, r_crystal)
        spindle = turned(setting, axis)
        ds0 = cross(tilt_axes(s0, spindle), s0)
        out[2, BEAM_COLUMN] = -dot(r, ds0) / speed
        for row, c in enumerate(by_s1):
            out[row, BEAM_COLUMN] = dot(c, ds0 + swing * out[2, BEAM_COLUMN])
        return Prediction(calculated, out)


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


def _rotated(v: Floats, axis: Floats, cosine: Floats, sine: Floats) -> Floats:
    """(3, n) vectors turned about unit axes (Rodrigues)."""
    along = dot(v, axis) * axis
    return np.asarray(along + (v - along) * cosine + cross(axis, v) * sine)


def _drifted(r: Floats, drift: Floats, first: Ints, basis: Floats) -> Floats:
    """(3, n) exp([w]x) (1 + e) r with w and e from the spline of each reflection's crystal."""
    change = np.zeros((drift.shape[0], len(first)))
    for k in range(ORDER):
        change += basis[k] * drift[:, np.minimum(first + k, drift.shape[1] - 1)]
    w, e = change[:3], change[3:]
    strained = r + np.stack(
        [
            e[0] * r[0] + e[5] * r[1] + e[4] * r[2],
            e[5] * r[0] + e[1] * r[1] + e[3] * r[2],
            e[4] * r[0] + e[3] * r[1] + e[2] * r[2],
        ]
    )
    angle = np.sqrt(dot(w, w))
    axis = w / np.maximum(angle, 1e-300)
    return _rotated(strained, axis, np.cos(angle), np.sin(angle))


def _panel_derivatives(out: Floats, from_centre: Floats, q1: Floats, q2: Floats) -> None:
    """A panel point m moves with m = t + w x u; the crossing moves by -(m_i - m_3 q_i)."""
    ux, uy = from_centre
    for row, q in ((0, q1), (1, q2)):
        out[row, row] = -1.0
        out[row, 2] = q
        out[row, 3] = uy * q
        out[row, 4] = -ux * q
    out[0, 5] = uy
    out[1, 5] = -ux


def _crystal_derivatives(out: Floats, covector: Floats, r: Floats) -> None:
    """By rotation w and strain e of the crystal: dr = w x r + e r, both in the crystal frame."""
    c, first = covector, PANEL_COLUMNS
    out[first : first + 3] = cross(r, c)
    out[first + 3 : first + 6] = r * c
    out[first + 6] = r[1] * c[2] + r[2] * c[1]
    out[first + 7] = r[0] * c[2] + r[2] * c[0]
    out[first + 8] = r[0] * c[1] + r[1] * c[0]
