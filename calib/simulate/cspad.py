"""A detector with three levels like the CS-PAD: 4 quadrants of 8 sensors of 2 ASICs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames, PanelGroup, PanelShape
from calib.simulate.truth import Tolerance

_ASIC_PX = (194, 185)
_PIXEL_MM = 0.11
_BETWEEN_ASICS_PX = 3
_BETWEEN_SENSORS_MM = 2.0
_HOLE_MM = 4.0
_COLUMNS, _ROWS = 2, 4
"""Columns and rows of sensors in a quadrant."""


def cspad() -> Layout:
    """64 panels in four quadrants, rotated by 90 degrees about the hole for the beam."""
    asic = np.array(_ASIC_PX) * _PIXEL_MM
    step = np.array([2 * asic[0] + _BETWEEN_ASICS_PX * _PIXEL_MM, asic[1]]) + _BETWEEN_SENSORS_MM
    shapes, rotations, origins = [], [], []
    groups, panels = [], iter(range(4 * 16))
    for quadrant in range(4):
        turn = rotation_from_vector(np.array([0.0, 0.0, 0.5 * np.pi * quadrant]))
        sensors = []
        for sensor in range(_COLUMNS * _ROWS):
            corner = _HOLE_MM + step * [sensor % _COLUMNS, sensor // _COLUMNS] - [2 * _HOLE_MM, 0.0]
            mine = (next(panels), next(panels))
            sensors.append(PanelGroup(f"Q{quadrant}S{sensor}", 2, mine))
            for k in range(2):
                shift = k * (asic[0] + _BETWEEN_ASICS_PX * _PIXEL_MM)
                shapes.append(PanelShape(f"Q{quadrant}S{sensor}A{k}", _ASIC_PX, (_PIXEL_MM,) * 2))
                rotations.append(turn)
                origins.append(turn @ np.array([corner[0] + shift, corner[1], 0.0]))
        members = tuple(panel for sensor in sensors for panel in sensor.panels)
        groups += [PanelGroup(f"Q{quadrant}", 1, members), *sensors]
    ordered = tuple(sorted(groups, key=lambda group: (group.level, group.panels)))
    return Layout(tuple(shapes), PanelFrames(np.array(rotations), np.array(origins)), ordered)


def assembled(
    rng: np.random.Generator, layout: Layout, tolerances: Sequence[Tolerance]
) -> Correction:
    """A random correction: groups of level k deviate rigidly, about their centres, from their
    parent with ``tolerances[k - 1]``; panels are at nominal positions in the innermost groups."""
    rotation, origin = np.array(layout.frames.rotation), np.array(layout.frames.origin_mm)
    for group in layout.groups:
        members = list(group.panels)
        middle = _middle(layout, rotation[members], origin[members], members)
        motion = _motion(rng, layout.axes_of(group), tolerances[group.level - 1])
        rotation[members] = motion.rotation @ rotation[members]
        origin[members] = middle + motion.points(origin[members] - middle)
    return Correction.between(layout, PanelFrames(rotation, origin))


def _middle(layout: Layout, rotation: Floats, origin: Floats, members: list[int]) -> Floats:
    frames = PanelFrames(rotation, origin)
    return np.asarray(frames.points(0.5 * layout.size_mm[members][:, None])[:, 0].mean(axis=0))


def _motion(rng: np.random.Generator, axes: Floats, t: Tolerance) -> RigidMotion:
    shift = axes @ (rng.normal(size=3) * [t.shift_mm, t.shift_mm, t.normal_mm])
    spin = t.tilt_rad if t.spin_rad is None else t.spin_rad
    turn = axes @ (rng.normal(size=3) * [t.tilt_rad, t.tilt_rad, spin])
    return RigidMotion(rotation_from_vector(turn), shift)
