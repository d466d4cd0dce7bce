"""What is known of panels before any reflection: how well detectors are assembled.

A panel's deviation from the drawing is its own, added to that of every group that it is mounted
on, each with the tolerance s of its level:

    P^-1 = sum over levels and groups of M_g s_level^2 M_g^T + s_panel^2,

with M_g what a rigid motion of group g about its middle does to the parameters of its panels. So
all levels are refined in one solve, the motions of a level are deviations from the level above,
and a panel or group without enough reflections moves rigidly with what it is mounted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import PANEL_PARAMETERS, ParameterKind
from calib.model.detector.layout import Layout, PanelGroup
from calib.solve.algebra.linalg import inverse
from calib.solve.algebra.rigid_motion import adjoints

_RIGID = 1e-3
"""Tolerance of levels that are not refined, as a share of the usual one: next to nothing."""
_USUAL_LEVEL = 2


@dataclass(frozen=True, slots=True)
class PanelPrior:
    """Assembly tolerance: one standard deviation of each parameter.

    That of panels which stand in no group, or in groups of one level; of deeper detectors that of
    the second level. A level is ``ratio`` times tighter than the one above it.
    """

    shift_mm: float = 0.1
    """In the plane."""
    normal_mm: float = 0.05
    """Along the normal."""
    tilt_rad: float = 1e-3
    """About each axis."""
    ratio: float = 10.0
    """How much tighter each level is than the one above."""
    levels: int | None = None
    """How many levels of groups and panels are refined; what lies below moves with the last one.
    None: all."""

    def sigma(self) -> Floats:
        """(6,) in mm and rad, of panels in no group."""
        along = (self.shift_mm, self.shift_mm, self.normal_mm)
        return np.array(
            [
                along[one.axis] if one.kind is ParameterKind.TRANSLATION else self.tilt_rad
                for one in PANEL_PARAMETERS
            ]
        )

    def content(self, layout: Layout) -> dict[str, Any]:
        """The same as plain values, for a calibration's record; levels where there are any."""
        content: dict[str, Any] = {
            "prior_shift_um": self.shift_mm * 1e3,
            "prior_normal_um": self.normal_mm * 1e3,
            "prior_tilt_mrad": self.tilt_rad * 1e3,
        }
        if layout.groups:
            content |= {"prior_level_ratio": self.ratio, "levels": self.levels}
        return content

    def covariance(self, layout: Layout, free: tuple[int, ...]) -> Floats:
        """(n f, n f) of the free parameters of all panels, in mm and rad."""
        n, f = len(layout), len(free)
        depth = np.zeros(n, dtype=np.int64)
        for group in layout.groups:
            depth[list(group.panels)] = group.level
        own = np.where(depth > 0, self._factor(depth + 1), 1.0)
        total = np.diag(np.repeat(own**2, f) * np.tile(self.sigma()[list(free)] ** 2, n))
        for group in layout.groups:
            moves = group_moves(layout, group, free)
            sigma = self.sigma()[list(free)] * float(self._factor(np.array(group.level)))
            rows = np.add.outer(np.array(group.panels) * f, np.arange(f)).ravel()
            total[np.ix_(rows, rows)] += (moves * sigma**2) @ moves.T
        return np.asarray(total)

    def precision(self, layout: Layout, free: tuple[int, ...]) -> Floats:
        """(n f, n f) the inverse of ``covariance``."""
        covariance = self.covariance(layout, free)
        if not layout.groups:
            return np.diag(1.0 / np.diag(covariance))
        return inverse(covariance)

    def _factor(self, level: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The tolerance of levels of a detector with groups, relative to the usual one."""
        factor = self.ratio ** (_USUAL_LEVEL - level.astype(np.float64))
        if self.levels is None:
            return np.asarray(factor)
        return np.asarray(np.where(level <= self.levels, factor, _RIGID))


def group_moves(layout: Layout, group: PanelGroup, free: tuple[int, ...]) -> Floats:
    """(m f, f) what motions of a group do to the free parameters of its m panels.

    The motions are those of the same kind as the parameters: along the group's own fast, slow and
    normal axes, and about them, through the middle of its panels.
    """
    members = list(group.panels)
    rotation = layout.frames.rotation[members]
    centre = layout.centre_root_mm[members]
    axes = layout.axes_of(group)
    moves = adjoints(rotation, centre, centre.mean(axis=0))
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = axes
    kept = (moves @ both)[:, list(free)][:, :, list(free)]
    return np.asarray(kept.reshape(-1, len(free)))
