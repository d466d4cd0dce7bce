"""Beam, goniometer, scan and crystal as DIALS experiment lists write them, old and new."""

from __future__ import annotations

import math

import numpy as np

from calib.errors import FileFormatError
from calib.files.dials.json_value import Node
from calib.model.base.arrays import Floats
from calib.model.base.bounds import (
    ANGLE_DEG,
    CELL_ANGSTROM,
    DIRECTION,
    IMAGE_NUMBER,
    RECIPROCAL,
    UNIT,
    WAVELENGTH_ANGSTROM,
)
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.experiment import Beam, Crystal, Goniometer, Scan

_REAL_SPACE = ("real_space_a", "real_space_b", "real_space_c")


_SHORTEST = 1e-100
"""Of a vector that gives a direction: the square of its length is still a number."""
_SMALLEST_DETERMINANT = 1e-12
"""Of a setting matrix in 1/Angstrom^3: a cell of a micrometre each way."""
_ROTATION = 0.01
"""Largest deviation of a rotation's determinant from 1, so that the mean is a rotation, too."""


def read_beam(node: Node) -> Beam:
    """A beam; one without a single wavelength (polychromatic) is refused."""
    if node.find("wavelength") is None:
        raise FileFormatError(
            "no-wavelength",
            "the beam has no wavelength, expected a monochromatic one.",
            place=f"{node.file}, {node.path}",
            remedy="leave this file out: calib cannot use polychromatic or time-of-flight data.",
        )
    wavelength = node.at("wavelength")
    if wavelength.number() <= 0.0:
        raise wavelength.bad(expected="a wavelength above 0 Angstrom")
    angstrom = wavelength.number_within(WAVELENGTH_ANGSTROM)
    return Beam(np.array(_direction(node.at("direction"))), angstrom, _s0_at_scan_points(node))


def read_goniometer(node: Node) -> Goniometer:
    """A goniometer; several axes are folded to r = S R(axis, phi) F A h.

    F is the product of the rotations before the scan axis, later ones on the left; S of those
    after it (``multi_axis_goniometer.h`` of dxtbx).
    """
    if node.find("axes") is None:
        return Goniometer(
            np.array(_direction(node.at("rotation_axis"))),
            _rotation(node.find("fixed_rotation")),
            _rotation(node.find("setting_rotation")),
            _setting_at_scan_points(node),
        )
    axes = [_direction(axis) for axis in node.at("axes").elements()]
    angles = node.at("angles").numbers_within(len(axes), ANGLE_DEG)
    scan_axis = node.at("scan_axis")
    chosen = scan_axis.integer()
    if not 0 <= chosen < len(axes):
        raise scan_axis.bad(expected=f"the index of one of {len(axes)} axes")
    turns = [
        rotation_from_vector(np.array(axis) / np.linalg.norm(axis) * math.radians(angle))
        for axis, angle in zip(axes, angles, strict=True)
    ]
    fixed, setting = np.eye(3), np.eye(3)
    for turn in turns[:chosen]:
        fixed = turn @ fixed
    for turn in turns[chosen + 1 :]:
        setting = turn @ setting
    points = _setting_at_scan_points(node)
    return Goniometer(np.array(axes[chosen]), fixed, setting, points)


def read_scan(node: Node) -> Scan:
    """A scan, with ``oscillation`` and ``epochs`` of its own or (newer) in ``properties``.

    One that does not rotate has the width 0.
    """
    image_range = node.at("image_range").integers_within(2, IMAGE_NUMBER)
    n_images = image_range[1] - image_range[0] + 1
    if n_images < 1:
        raise node.at("image_range").bad(expected="first and last image number")
    properties = node.find("properties")
    if properties is None:
        oscillation = node.find("oscillation")
        start, width = oscillation.numbers_within(2, ANGLE_DEG) if oscillation else (0.0, 0.0)
    else:
        start, width = _oscillation_of_images(properties, n_images)
    if start + n_images * width not in ANGLE_DEG:
        raise node.at("image_range").bad(expected=f"a scan that ends at {ANGLE_DEG.expected}")
    return Scan(
        (image_range[0], image_range[1]),
        math.radians(start),
        math.radians(width),
        _first_epoch(node if properties is None else properties),
    )


def read_crystal(node: Node) -> Crystal:
    """A crystal: its real-space basis, the Hall symbol of its space group, and, where the file has
    them, its setting matrices at scan points."""
    a, b, c = (node.at(key).numbers_within(3, CELL_ANGSTROM) for key in _REAL_SPACE)
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    if abs(volume) < 1e-6:
        raise node.at("real_space_a").bad(expected="three axes a, b, c that span a cell")
    hall_symbol = node.at("space_group_hall_symbol").text()
    return Crystal(np.array((a, b, c)), hall_symbol, _scan_points(node))


def _points(node: Node, key: str) -> Node | None:
    """The list of a model's values at scan points; None where there are not two or more."""
    points = node.find(key)
    if points is None or not isinstance(points.value, list) or len(points.value) < 2:
        return None
    return points


def _s0_at_scan_points(node: Node) -> Floats | None:
    """(k, 3) incident wave vectors."""
    points = _points(node, "s0_at_scan_points")
    if points is None:
        return None
    return np.array([_direction(point) for point in points.elements()])


def _setting_at_scan_points(node: Node) -> Floats | None:
    """(k, 3, 3) rotations after the scan axis."""
    points = _points(node, "setting_rotation_at_scan_points")
    if points is None:
        return None
    rotations = np.array([_rotation(point) for point in points.elements()])
    if (np.abs(np.linalg.det(rotations) - 1.0) > _ROTATION).any():
        raise points.bad(expected="rotation matrices")
    return rotations


def _scan_points(node: Node) -> Floats | None:
    """(k, 3, 3) setting matrices; None where there are not two or more."""
    points = _points(node, "A_at_scan_points")
    if points is None:
        return None
    matrices = np.array([point.numbers(9) for point in points.elements()]).reshape(-1, 3, 3)
    if not RECIPROCAL.all_in(matrices):
        raise points.bad(expected=f"setting matrices of {RECIPROCAL.expected}")
    if (np.abs(np.linalg.det(matrices)) < _SMALLEST_DETERMINANT).any():
        raise points.bad(expected="setting matrices that can be inverted")
    return matrices


def _oscillation_of_images(properties: Node, n_images: int) -> tuple[float, float]:
    """Start and width in degrees from the start angle of every image."""
    starts = properties.find("oscillation")
    if starts is None:
        return 0.0, 0.0
    angles = starts.numbers_within(n_images, ANGLE_DEG)
    if n_images > 1:
        return angles[0], (angles[-1] - angles[0]) / (n_images - 1)
    widths = properties.find("oscillation_width")
    return angles[0], widths.numbers_within(1, ANGLE_DEG)[0] if widths else 0.0


def _first_epoch(node: Node) -> float | None:
    """The first image's epoch; the others may be unset, and 0 means unknown.

    NaN where the file has null or a number that is not finite in its place.
    """
    epochs = node.find("epochs")
    if epochs is None or not isinstance(epochs.value, list) or not epochs.value:
        return None
    first = Node(epochs.value[0], epochs.file, f"{epochs.path}[0]")
    if first.value is None or not first.is_finite():
        return math.nan
    return first.number() or None


def _direction(node: Node) -> list[float]:
    vector = node.numbers_within(3, DIRECTION)
    if not any(vector):
        raise node.bad(expected="a vector that is not zero")
    if math.hypot(*vector) <= _SHORTEST:
        raise node.bad(expected="a vector with a length above 0")
    return vector


def _rotation(node: Node | None) -> Floats:
    return np.eye(3) if node is None else np.array(node.numbers_within(9, UNIT)).reshape(3, 3)
