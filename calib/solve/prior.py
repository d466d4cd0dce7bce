"""Prior of the panel parameters: the assembly tolerances of the detector.

The deviation of a panel from the nominal geometry is its own deviation plus that of every group it
is mounted on, each with the tolerance s of its level. The prior covariance is

    P^-1 = sum over levels and groups of M_g s_level^2 M_g^T + s_panel^2,

where M_g is the derivative of the panels' parameters by a rigid motion of group g about its centre.
All levels are thus refined in one solution, motions of a level are deviations from the level above,
and a panel or group with too few reflections follows the group that it is mounted on.

The tolerances are what was expected of the assembly. The widths s are learned from the data
(``calib.solve.panels.prior_widths``) where there are data; a panel or group that deviates by far
more than the others of its level has a width of its own.
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
from calib.model.result.report import LearnedPrior
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
KINDS = tuple(
    2 if one.kind is ParameterKind.ROTATION else 1 if one.axis == 2 else 0
    for one in PANEL_PARAMETERS
)
"""Which tolerance each panel parameter has: that of shifts in the plane, of shifts along the normal
or of rotations."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Panels, or groups of panels, that share one tolerance."""

    level: int
    of_groups: bool
    members: tuple[int, ...]
    """Indices of the groups or panels."""
    n_above: int
    """Number of groups (or 1 for the detector) that they are mounted on."""
    factor: float
    """Their tolerance relative to that of a panel in no group."""
    is_refined: bool
    """False for levels that move rigidly with the level above."""


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
    held
        Use the tolerances as they are, rather than learn the widths from the data.
    learned
        Widths learned from data, which take the place of the tolerances. None: none.
    """

    shift_mm: float = 0.1
    normal_mm: float = 0.05
    tilt_rad: float = 1e-3
    ratio: float = 10.0
    levels: int | None = None
    held: bool = False
    learned: LearnedPrior | None = None

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
        if self.held:
            content["prior_held"] = True
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
            held=content.get("prior_held", False),
        )

    def strata(self, layout: Layout) -> tuple[Stratum, ...]:
        """The groups of each level, outer levels first, and the panels by the number of groups that
        they are in."""
        inside, found = np.full(len(layout), -1), []
        levels = np.array([group.level for group in layout.groups], dtype=np.int64)
        depth = np.zeros(len(layout), dtype=np.int64)
        for level in np.unique(levels).tolist():
            members = np.flatnonzero(levels == level).tolist()
            above = {int(inside[layout.groups[k].panels[0]]) for k in members}
            found.append(self._stratum(level, members, len(above), of_groups=True))
            for k in members:
                inside[list(layout.groups[k].panels)] = k
                depth[list(layout.groups[k].panels)] = level
        for number in np.unique(depth).tolist():
            members = np.flatnonzero(depth == number).tolist()
            above = set(inside[members].tolist())
            found.append(self._stratum(number + 1, members, len(above), of_groups=False))
        return tuple(found)

    def _stratum(self, level: int, members: list[int], n_above: int, *, of_groups: bool) -> Stratum:
        alone = level == 1 and not of_groups
        factor = 1.0 if alone else self.ratio ** (_USUAL_LEVEL - level)
        refined = alone or self.levels is None or level <= self.levels
        factor = factor if refined else _RIGID
        return Stratum(level, of_groups, tuple(members), n_above, factor, refined)

    def widths(self, layout: Layout, free: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Standard deviations (g, f) of the f free motions of each group about what it is mounted
        on, and (n, f) of each panel; in mm and rad."""
        groups = np.zeros((len(layout.groups), len(free)))
        panels = np.zeros((len(layout), len(free)))
        strata = self.strata(layout)
        known = {} if self.learned is None else self.learned.by_stratum()
        for one in strata:
            own = known.get((one.of_groups, one.level))
            sigma = self.sigma() * one.factor if own is None else np.array(own.widths)[list(KINDS)]
            (groups if one.of_groups else panels)[list(one.members)] = sigma[list(free)]
        for far in () if self.learned is None else self.learned.deviating:
            (groups if far.is_group else panels)[far.index] *= far.factor
        return groups, panels

    def covariance(self, layout: Layout, free: tuple[int, ...]) -> Floats:
        """Covariance (n f, n f) of the f free parameters of all n panels, in mm and rad."""
        f = len(free)
        groups, panels = self.widths(layout, free)
        total = np.diag(panels.ravel() ** 2)
        for group, sigma in zip(layout.groups, groups, strict=True):
            moves = group_moves(layout, group, free)
            rows = np.add.outer(np.array(group.panels) * f, np.arange(f)).ravel()
            total[np.ix_(rows, rows)] += (moves * sigma**2) @ moves.T
        return np.asarray(total)

    def precision(self, layout: Layout, free: tuple[int, ...]) -> Floats:
        """Inverse (n f, n f) of ``covariance``."""
        covariance = self.covariance(layout, free)
        if not layout.groups:
            return np.diag(1.0 / np.diag(covariance))
        return inverse(covariance)


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
