"""Predictions for a rotation scan whose panels are given, and the fit of pose and crystal to it.

Derivatives are finite differences of the predictions, and no code is shared with the solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import PanelFrames

_STEPS = np.array([*([1e-2] * 3), *([1e-5] * 3), *([1e-5] * 3), *([1e-5] * 2)])
"""Of the finite differences: shift (mm) and rotation of the detector, rotation of the crystal,
relative length of a = b and of c."""
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class RigidModel:
    """Scans of one tetragonal crystal on a detector whose panels move only as a whole."""

    real_space: Floats
    """(3, 3) Angstrom; rows are a, b, c at datum."""
    fixed: Floats
    """(k, 3, 3) rotation before the spindle in each scan."""
    axis: Floats
    """(3,) unit vector of the spindle."""
    s0: Floats
    """(3,) incident wave vector, 1/Angstrom."""
    frames: PanelFrames
    """The panels in the laboratory."""

    def predicted(
        self, offsets: Floats, hkl: Ints, panel: Ints, near_rad: Floats, sweep: Ints
    ) -> Floats:
        """(n, 3) x and y in mm and phi in rad, on given panels and near given angles.

        ``offsets`` (11,): shift of the detector in mm, rotation about its centre and rotation of
        the crystal in rad, relative change of a = b and of c.
        """
        lengths = 1.0 + offsets[[9, 9, 10]]
        turned = self.real_space @ rotation_from_vector(offsets[6:9]).T
        r0 = hkl @ np.linalg.inv(turned * lengths[:, None]).T
        r0 = np.einsum("nij,nj->ni", self.fixed[sweep], r0)
        along = r0 @ self.axis
        flat = r0 - np.outer(along, self.axis)
        side = np.cross(self.axis, r0)
        needed = -0.5 * (r0**2).sum(axis=1) - along * (self.axis @ self.s0)
        a, b = flat @ self.s0, side @ self.s0
        half = np.arccos(np.clip(needed / np.hypot(a, b), -1.0, 1.0))
        both = np.arctan2(b, a)[:, None] + half[:, None] * np.array([1.0, -1.0])
        away = (both - near_rad[:, None] + np.pi) % (2.0 * np.pi) - np.pi
        nearest = np.argmin(np.abs(away), axis=1)
        phi = near_rad + np.take_along_axis(away, nearest[:, None], axis=1)[:, 0]
        ray = np.outer(along, self.axis) + np.cos(phi)[:, None] * flat
        ray += np.sin(phi)[:, None] * side + self.s0
        # The detector moves about its centre, so the ray moves against it.
        centre = self.frames.origin_mm.mean(axis=0)
        back = rotation_from_vector(offsets[3:6])
        start = centre + (-offsets[:3] - centre) @ back
        ray = ray @ back
        rotation, origin = self.frames.rotation[panel], self.frames.origin_mm[panel]
        local = np.einsum("nji,nj->ni", rotation, ray)
        begin = np.einsum("nji,nj->ni", rotation, start - origin)
        reach = -begin[:, 2] / local[:, 2]
        return np.column_stack([begin[:, :2] + reach[:, None] * local[:, :2], phi])

    def sensitivity(self, hkl: Ints, panel: Ints, near_rad: Floats, sweep: Ints) -> Floats:
        """(n, 3, 11) derivatives of ``predicted``."""
        columns = []
        for index, step in enumerate(_STEPS):
            offsets = np.zeros(len(_STEPS))
            offsets[index] = step
            up = self.predicted(offsets, hkl, panel, near_rad, sweep)
            down = self.predicted(-offsets, hkl, panel, near_rad, sweep)
            columns.append((up - down) / (2.0 * step))
        return np.stack(columns, axis=2)

    def fitted(
        self,
        hkl: Ints,
        panel: Ints,
        observed: Floats,
        sigma: Floats,
        sweep: Ints,
        used: Bools | None = None,
    ) -> Floats:
        """(n, 3) observed minus predicted x, y (mm) and phi (rad) after a weighted least-squares
        fit of pose, orientation and cell to the ``used`` (n,) reflections."""
        near = observed[:, 2]
        mine = np.ones(len(hkl), dtype=np.bool_) if used is None else used
        offsets = np.zeros(len(_STEPS))
        slope = (self.sensitivity(hkl, panel, near, sweep) / sigma[:, :, None])[mine]
        # Columns in units of their steps, so that parameters in mm and rad have like sizes.
        scaled = (slope * _STEPS).reshape(-1, len(_STEPS))
        for _ in range(_ROUNDS):
            miss = observed - self.predicted(offsets, hkl, panel, near, sweep)
            step = np.linalg.lstsq(scaled, (miss / sigma)[mine].ravel(), rcond=1e-10)[0]
            offsets = offsets + step * _STEPS
        return observed - self.predicted(offsets, hkl, panel, near, sweep)
