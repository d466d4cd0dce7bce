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
from calib.solve.algebra.bspline import ORDER
from calib.solve.algebra.vectors import cross, dot, shared, turned, turned_back
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Instrument, NuisanceParameters
from calib.solve.dataset.rotation import ScanRays, rotated
from calib.solve.dataset.stills import StillRays

PANEL_COLUMNS = N_PARAMETERS
BEAM_COLUMN = PANEL_COLUMNS + CRYSTAL_COLUMNS
"""Columns of the derivatives: panel (6), crystal (9), beam tilt (1), and the residual."""
RESIDUAL_COLUMN = BEAM_COLUMN + 1
N_COLUMNS = RESIDUAL_COLUMN + 1


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
        if seen.basis is not None:
            r_crystal = _drifted(r_crystal, nuisance.drift, seen.first[part], seen.basis[:, part])
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
        _panel_derivatives(out, from_centre, q1, q2)
        fast, slow, normal = rotation[:, 0], rotation[:, 1], rotation[:, 2]
        by_s1 = (reach * (fast - q1 * normal), reach * (slow - q2 * normal))
        for row, covector in enumerate(rays.by_crystal(*by_s1)):
            _crystal_derivatives(out[row], covector, r_crystal)
        if isinstance(rays, ScanRays):
            ds1, out[2, BEAM_COLUMN] = rays.by_beam_tilt()
            for row, c in enumerate(by_s1):
                out[row, BEAM_COLUMN] = dot(c, ds1)
        return Prediction(calculated, out)


def _drifted(r: Floats, drift: Floats, first: Ints, basis: Floats) -> Floats:
    """Vectors (3, n) exp([w]x) (1 + e) r, with w and e from the spline of the crystal."""
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
    return rotated(strained, axis, np.cos(angle), np.sin(angle))


def _panel_derivatives(out: Floats, from_centre: Floats, q1: Floats, q2: Floats) -> None:
    """A point of the panel moves by m = t + w x u, the intersection by -(m_i - m_3 q_i)."""
    ux, uy = from_centre
    for row, q in ((0, q1), (1, q2)):
        out[row, row] = -1.0
        out[row, 2] = q
        out[row, 3] = uy * q
        out[row, 4] = -ux * q
    out[0, 5] = uy
    out[1, 5] = -ux


def _crystal_derivatives(out: Floats, covector: Floats, r: Floats) -> None:
    """With respect to rotation w and strain e in the crystal frame: dr = w x r + e r."""
    c, first = covector, PANEL_COLUMNS
    out[first : first + 3] = cross(r, c)
    out[first + 3 : first + 6] = r * c
    out[first + 6] = r[1] * c[2] + r[2] * c[1]
    out[first + 7] = r[0] * c[2] + r[2] * c[0]
    out[first + 8] = r[0] * c[1] + r[1] * c[0]
