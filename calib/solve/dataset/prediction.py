"""Predicted centroids, and their derivatives with respect to all parameters.

The diffracted ray s1 of a scan (``rotation``) or of a still (``stills``) intersects the panel where
k = R^T s1 meets its plane. A change ds1 moves the intersection by

    dx = z / k_3 (fast - k_1 / k_3 normal) . ds1,   dy = z / k_3 (slow - k_2 / k_3 normal) . ds1,

where z is the distance between the sample and the plane of the panel. The modules of the rays give
the derivatives of s1 and of the third coordinate (phi of a scan, delta-psi of a still) with respect
to crystal and beam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import N_PARAMETERS
from calib.model.detector.layout import PanelFrames
from calib.solve.algebra.vectors import cross, dot, shared, turned, turned_back
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import (
    CRYSTAL_COLUMNS,
    Instrument,
    NuisanceParameters,
    legendre,
)
from calib.solve.dataset.rotation import ScanRays, rotated
from calib.solve.dataset.stills import StillRays

PANEL_COLUMNS = N_PARAMETERS
BEAM_COLUMN = PANEL_COLUMNS + CRYSTAL_COLUMNS
"""Columns of the derivatives: panel (6), crystal (9), beam tilt (1), and the residual."""
RESIDUAL_COLUMN = BEAM_COLUMN + 1
N_COLUMNS = RESIDUAL_COLUMN + 1
_ROTATION = slice(PANEL_COLUMNS, PANEL_COLUMNS + 3)
_STRAIN = slice(PANEL_COLUMNS + 3, BEAM_COLUMN)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Calculated centroids of n reflections and, if requested, their derivatives."""

    calculated: Floats
    """(3, n) x, y in mm and phi or delta-psi in rad; NaN where the reflection never diffracts."""
    jacobian: Floats | None
    """(3, 17, n) derivatives of x, y and phi or delta-psi with respect to the panel's tangent
    motion (translation in mm and rotation in rad about its centre, in its own current frame), the
    crystal's rotation and strain, and the beam's tilt (0 for stills); the last column is the
    residual, observed minus calculated."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """Predicts centroids with fixed parameters: panels in the laboratory frame for each pose."""

    instrument: Instrument
    nuisance: NuisanceParameters
    panel_rotation: Floats
    """(3, 3, p, n_panels) lab_from_panel."""
    panel_centre_mm: Floats
    """(3, p, n_panels)"""
    panel_half_mm: Floats
    """(2, n_panels) half the extent of each panel."""
    a_matrix: Floats
    """(3, 3, c) setting matrices of ``nuisance``, with the crystal as last index."""

    @staticmethod
    def of(
        instrument: Instrument,
        nuisance: NuisanceParameters,
        root_frames: PanelFrames,
        size_mm: Floats,
    ) -> Predictor:
        """Predictor for panels at ``root_frames`` relative to the root, in the current poses."""
        half = 0.5 * size_mm
        centre_root = root_frames.points(half[:, None, :])[:, 0]
        rotation = np.einsum("pij,njk->ikpn", nuisance.rotation, root_frames.rotation)
        centre = np.einsum("pij,nj->ipn", nuisance.rotation, centre_root)
        centre += nuisance.translation_mm.T[:, :, None]
        return Predictor(
            instrument,
            nuisance,
            np.ascontiguousarray(rotation),
            np.ascontiguousarray(centre),
            half.T,
            np.ascontiguousarray(nuisance.a_matrix.transpose(1, 2, 0)),
        )

    def predict(self, seen: Observations, part: slice | Ints, *, derivatives: bool) -> Prediction:
        """Centroids of the reflections ``part`` of ``seen``."""
        still = self.instrument.still[seen.experiment[part]]
        if still.all() or not still.any():
            return self._predicted(seen, part, derivatives=derivatives)
        n = len(still)
        calculated = np.empty((3, n))
        jacobian = np.empty((3, N_COLUMNS, n)) if derivatives else None
        whole = np.arange(len(seen))[part] if isinstance(part, slice) else part
        for mine in (np.flatnonzero(still), np.flatnonzero(~still)):
            found = self._predicted(seen, whole[mine], derivatives=derivatives)
            calculated[:, mine] = found.calculated
            if jacobian is not None:
                jacobian[:, :, mine] = found.jacobian
        return Prediction(calculated, jacobian)

    def _predicted(
        self, seen: Observations, part: slice | Ints, *, derivatives: bool
    ) -> Prediction:
        """The same for reflections that are all from scans or all from stills."""
        # Reflections are sorted by experiment and panel: values common to a part are not repeated.
        experiment, panel = shared(seen.experiment[part]), seen.panel[part]
        if len(experiment) == 1:
            panel = shared(panel)
        held, nuisance = self.instrument, self.nuisance
        s0 = nuisance.s0[:, experiment]
        a_matrix = np.take(self.a_matrix, held.crystal[experiment], axis=2)
        r_crystal = turned(a_matrix, seen.hkl[:, part].astype(np.float64))
        change: _Change | None = None
        if seen.basis is not None:
            change = _Change.of(r_crystal, nuisance.drift, seen.first[part], seen.basis[:, part])
            r_crystal = change.after
        rays: ScanRays | StillRays
        if len(experiment) and held.still[experiment[0]]:
            rays = StillRays.of(r_crystal, s0)
        else:
            setting, fixed = held.setting[:, :, experiment], held.fixed[:, :, experiment]
            rays = ScanRays.of(r_crystal, s0, setting, fixed, seen.observed[2, part])
        n_panels = self.panel_half_mm.shape[1]
        place = held.pose[experiment] * n_panels + panel
        rotation = np.take(self.panel_rotation.reshape(3, 3, -1), place, axis=2)
        centre = np.take(self.panel_centre_mm.reshape(3, -1), place, axis=1)
        if held.shifting.any():
            factors = legendre(held, experiment, seen.observed[2, part])
            centre = centre + np.einsum("dn,ndi->in", factors, nuisance.shift_mm[experiment])
        k = turned_back(rotation, rays.s1)
        away = turned_back(rotation, centre)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = away[2] / k[2]
            q1, q2 = k[0] / k[2], k[1] / k[2]
        from_centre = np.stack([q1 * away[2] - away[0], q2 * away[2] - away[1]])
        calculated = np.concatenate([from_centre + self.panel_half_mm[:, panel], rays.third[None]])
        calculated[:, ~(reach > 0.0)] = np.nan
        if not derivatives:
            return Prediction(calculated, None)

        out = np.zeros((3, N_COLUMNS, calculated.shape[1]))
        out[:, RESIDUAL_COLUMN] = seen.observed[:, part] - calculated
        panel_derivatives(out, from_centre, q1, q2)
        fast, slow, normal = rotation[:, 0], rotation[:, 1], rotation[:, 2]
        by_s1 = (reach * (fast - q1 * normal), reach * (slow - q2 * normal))
        for row, covector in enumerate(rays.by_crystal(*by_s1)):
            rotation, strain = out[row, _ROTATION], out[row, _STRAIN]
            rotation[:] = cross(r_crystal, covector)
            if change is None:
                _strain_derivatives(strain, covector, r_crystal)
            else:
                rotation[:] = change.by_coefficients(rotation)
                _strain_derivatives(strain, change.back(covector), change.before)
        if isinstance(rays, ScanRays):
            ds1, out[2, BEAM_COLUMN] = rays.by_beam_tilt()
            for row, c in enumerate(by_s1):
                out[row, BEAM_COLUMN] = dot(c, ds1)
        return Prediction(calculated, out)


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """The change r' = exp([w]x) (1 + e) r of reciprocal lattice vectors (3, n), with w and e from
    the splines of the crystals."""

    before: Floats
    """(3, n) r"""
    after: Floats
    """(3, n) r'"""
    turn: Floats
    """(3, n) w"""
    angle: Floats
    """(n,) its length."""

    @staticmethod
    def of(r: Floats, drift: Floats, first: Ints, basis: Floats) -> _Change:
        change = np.zeros((drift.shape[0], len(first)))
        for k in range(len(basis)):
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
        after = rotated(strained, w / np.maximum(angle, 1e-300), np.cos(angle), np.sin(angle))
        return _Change(r, after, w, angle)

    def back(self, v: Floats) -> Floats:
        """exp(-[w]x) v for vectors (3, n)."""
        axis = self.turn / np.maximum(self.angle, 1e-300)
        return rotated(v, axis, np.cos(self.angle), -np.sin(self.angle))

    def by_coefficients(self, v: Floats) -> Floats:
        """J^T v, where exp([w + dw]x) = exp([J dw]x) exp([w]x): from derivatives (3, n) with
        respect to a further rotation to those with respect to w."""
        half = 0.5 * np.sinc(0.5 * self.angle / np.pi) ** 2
        square = self.angle**2
        third = (1.0 - square / 20.0 * (1.0 - square / 42.0)) / 6.0
        once = cross(self.turn, v)
        return np.asarray(v - half * once + third * cross(self.turn, once))


def panel_derivatives(out: Floats, from_centre: Floats, q1: Floats, q2: Floats) -> None:
    """Fill the panel's columns of the rows x and y of ``out`` (2 or more, 6 or more, n).

    A point ``from_centre`` (2, n) of the panel moves by m = t + w x u, and the intersection with a
    ray of the slopes q by -(m_i - m_3 q_i).
    """
    ux, uy = from_centre
    for row, q in ((0, q1), (1, q2)):
        out[row, row] = -1.0
        out[row, 2] = q
        out[row, 3] = uy * q
        out[row, 4] = -ux * q
    out[0, 5] = uy
    out[1, 5] = -ux


def _strain_derivatives(out: Floats, c: Floats, r: Floats) -> None:
    """Of c . e r by the strain e, over ``symmetry.VOIGT``."""
    out[:3] = r * c
    out[3] = r[1] * c[2] + r[2] * c[1]
    out[4] = r[0] * c[2] + r[2] * c[0]
    out[5] = r[0] * c[1] + r[1] * c[0]
