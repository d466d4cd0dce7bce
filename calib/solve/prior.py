"""Prior of the panel parameters: the assembly tolerances of the detector.

The deviation of a panel from the nominal geometry is its own deviation plus that of every group it
is mounted on, each with the tolerance s of its level. The prior covariance is

    P^-1 = sum over levels and groups of M_g s_level^2 M_g^T + s_panel^2,

where M_g is the derivative of the panels' parameters by a rigid motion of group g about its centre.
All levels are thus refined in one solution, motions of a level are deviations from the level above,
and a panel or group with too few reflections follows the group that it is mounted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.base.bounds import Bounds
from calib.model.detector.correction import PANEL_PARAMETERS, ParameterKind
from calib.model.detector.layout import Layout, PanelGroup
from calib.solve.algebra.linalg import inverse
from calib.solve.algebra.rigid_motion import adjoints

TOLERANCE_MM = Bounds("a tolerance", 1e-6, 1e3, "mm")
TOLERANCE_RAD = Bounds("a tolerance", 1e-6, 1e3, "rad")
"""Beyond these, arithmetic fails before physics does."""
LEVEL_RATIO = Bounds("a ratio", 1.0, 1000.0)
LEVELS = Bounds("a number of levels", 1, 9, whole=True)
_RIGID = 1e-3
"""Tolerance of levels that are not refined, as a fraction of the usual one; practically fixed."""
_USUAL_LEVEL = 2


@dataclass(frozen=True, slots=True)
class PanelPrior:
    """Assembly tolerances: one standard deviation of each panel parameter.

    They apply to panels in no group and to panels in groups of one level; in detectors with more
    levels they apply to the second level. Each level is ``ratio`` times tighter than the one above.

    Attributes
    ----------
    shift_mm
        Shift in the plane, in mm.
    normal_mm
        Shift along the normal, in mm.
    tilt_rad
        Rotation about each axis, in rad.
    ratio
        Tolerance of a level divided by that of the level below.
    levels
        Number of levels of groups and panels that are refined; deeper levels move rigidly with the
        last refined one. None: all levels.
    """

    shift_mm: float = 0.1
    normal_mm: float = 0.05
    tilt_rad: float = 1e-3
    ratio: float = 10.0
    levels: int | None = None

    def checked(self) -> PanelPrior:
        """The prior itself; raises ``InputError`` (``bad-prior``) for values out of range."""
        for called, value, bounds in (
            ("shift_mm", self.shift_mm, TOLERANCE_MM),
            ("normal_mm", self.normal_mm, TOLERANCE_MM),
            ("tilt_rad", self.tilt_rad, TOLERANCE_RAD),
            ("ratio", self.ratio, LEVEL_RATIO),
            ("levels", 1 if self.levels is None else self.levels, LEVELS),
        ):
            bounds.checked(value, called, "bad-prior")
        return self

    def sigma(self) -> Floats:
        """Tolerances (6,) of a panel in no group, in mm and rad."""
        along = (self.shift_mm, self.shift_mm, self.normal_mm)
        return np.array(
            [
                along[one.axis] if one.kind is ParameterKind.TRANSLATION else self.tilt_rad
                for one in PANEL_PARAMETERS
            ]
        )

    def content(self, layout: Layout) -> dict[str, Any]:
        """The prior as plain values, as calibrations record it; levels only if there are groups."""
        content: dict[str, Any] = {
            "prior_shift_um": self.shift_mm * 1e3,
            "prior_normal_um": self.normal_mm * 1e3,
            "prior_tilt_mrad": self.tilt_rad * 1e3,
        }
        if layout.groups:
            content |= {"prior_level_ratio": self.ratio, "levels": self.levels}
        return content

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> PanelPrior:
        """The prior that ``content`` recorded; defaults for what it did not record."""
        default = cls()
        return cls(
            shift_mm=content.get("prior_shift_um", default.shift_mm * 1e3) / 1e3,
            normal_mm=content.get("prior_normal_um", default.normal_mm * 1e3) / 1e3,
            tilt_rad=content.get("prior_tilt_mrad", default.tilt_rad * 1e3) / 1e3,
            ratio=content.get("prior_level_ratio", default.ratio),
            levels=content.get("levels"),
        )

    def covariance(self, layout: Layout, free: tuple[int, ...]) -> Floats:
        """Covariance (n f, n f) of the f free parameters of all n panels, in mm and rad."""
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
        """Inverse (n f, n f) of ``covariance``."""
        covariance = self.covariance(layout, free)
        if not layout.groups:
            return np.diag(1.0 / np.diag(covariance))
        return inverse(covariance)

    def _factor(self, level: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Tolerances of levels of a detector with groups, relative to those of the second level."""
        factor = self.ratio ** (_USUAL_LEVEL - level.astype(np.float64))
        if self.levels is None:
            return np.asarray(factor)
        return np.asarray(np.where(level <= self.levels, factor, _RIGID))


def group_moves(layout: Layout, group: PanelGroup, free: tuple[int, ...]) -> Floats:
    """Derivatives (m f, f) of the free parameters of a group's m panels by motions of the group.

    The motions are of the same kinds as the f free parameters: translations along and rotations
    about the group's own fast, slow and normal axes, through the centre of its panels.
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
