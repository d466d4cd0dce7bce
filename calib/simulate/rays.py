"""Where rays from a sample that is anywhere meet panels that are not flat."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames
from calib.simulate.effects.effect import Effect, InstrumentState

_MARGIN_MM = 1.0
"""Rays that miss a panel's nominal area by more than this are not followed further."""
_HEIGHT_ROUNDS = 6
"""Fixed-point iterations for the crossing with a curved panel; its slopes are below a hundredth."""
ROUNDS = 6
"""Fixed-point iterations for angles that depend on the state at that angle; each reduces the error
about 1000 times."""
SETTLED_RAD = 1e-10
"""A reflection at the moment of a slip has no angle: the iteration does not settle."""
_GRAZING = 0.999
"""Nearly tangential crossings have no sharp angle; data reduction excludes them."""


def crossings(r0: Floats, side: Floats, state: InstrumentState) -> tuple[Floats, Floats]:
    """Angles (n,) at which vectors ``r0`` (n, 3) cross the Ewald sphere, NaN where they do not, and
    the reciprocal lattice vectors (n, 3) in the laboratory at that angle.

    ``side`` (n,) is 1 or -1 for the later and the earlier of the two crossings.
    """
    s0 = np.einsum("nji,nj->ni", state.after, state.s0)
    along = (r0 * state.axis).sum(axis=1)
    flat = r0 - along[:, None] * state.axis
    across = np.cross(state.axis, r0)
    needed = -0.5 * (r0**2).sum(axis=1) - along * (state.axis * s0).sum(axis=1)
    a, b = (flat * s0).sum(axis=1), (across * s0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = needed / np.hypot(a, b)
    half = np.arccos(np.where(np.abs(ratio) < _GRAZING, ratio, np.nan))
    phi = np.arctan2(b, a) + side * half
    turned = np.cos(phi)[:, None] * flat + np.sin(phi)[:, None] * across
    lab = along[:, None] * state.axis + turned
    return np.asarray(phi), np.asarray(np.einsum("nij,nj->ni", state.after, lab))


def on_panels(
    frames: PanelFrames, layout: Layout, inner: Effect, start_mm: Floats, ray: Floats
) -> tuple[Ints, Floats, Floats]:
    """The panel (n,) that sees each ray (-1 for none), the nominal position (n, 2) in mm of the
    pixel that sees it, and the direction (n, 2) away from the beam in the panel's axes.

    ``start_mm`` and ``ray`` (n, 3) are in the frame in which the panels have ``frames``.
    """
    panel = np.full(len(ray), -1)
    where, radial = np.zeros((len(ray), 2)), np.zeros((len(ray), 2))
    for index in range(len(frames)):
        rotation, origin = frames.rotation[index], frames.origin_mm[index]
        local, begin = ray @ rotation, (start_mm - origin) @ rotation
        with np.errstate(invalid="ignore", divide="ignore"):
            reach = -begin[:, 2] / local[:, 2]
            flat = begin[:, :2] + reach[:, None] * local[:, :2]
            near = (reach > 0.0) & (np.abs(flat - 0.5 * layout.size_mm[index]) < (
                0.5 * layout.size_mm[index] + _MARGIN_MM
            )).all(axis=1)  # fmt: skip
        mine = np.flatnonzero(near)
        slope = local[mine, :2] / local[mine, 2:]
        which = np.full(len(mine), index)
        point = flat[mine]
        for _ in range(_HEIGHT_ROUNDS):
            beside = inner.inside(layout, which, point)
            point = flat[mine] + slope * beside[:, 2:]
        read = point - inner.inside(layout, which, point)[:, :2]
        on = ((read >= 0.0) & (read < layout.size_mm[index])).all(axis=1)
        hit = mine[on]
        panel[hit], where[hit] = index, read[on]
        unit = slope[on] * np.sign(local[hit, 2:])
        radial[hit] = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    return panel, where, radial


def seen_from_detector(
    state: InstrumentState, ray: Floats, centre_mm: Floats
) -> tuple[Floats, Floats]:
    """Start (n, 3) and direction (n, 3) of rays in a frame in which the detector, which moves
    about ``centre_mm`` (3,), is at rest."""
    back = rotation_from_vector(-state.detector_turn_rad)
    start = state.sample_mm - state.detector_shift_mm - centre_mm
    return (
        centre_mm + np.einsum("nij,nj->ni", back, start),
        np.einsum("nij,nj->ni", back, ray),
    )


def index_chance(hkl: Ints) -> Floats:
    """(n,) numbers in [0, 1) that look random and depend on the Miller index only."""
    mixed = np.sin(hkl @ np.array([12.9898, 78.233, 37.719])) * 43758.5453
    return np.asarray(mixed - np.floor(mixed))


def strained(state: InstrumentState, a_matrix: Floats, orientation: Floats, hkl: Ints) -> Floats:
    """(n, 3) reciprocal lattice vectors at datum, 1/Angstrom, of the drifting, strained crystal.

    ``a_matrix`` is U B of the crystal without effects and ``orientation`` its U.
    """
    crystal_axes = hkl @ (orientation.T @ a_matrix).T
    inverse = np.linalg.inv(state.strain)
    bent = np.einsum("nji,nj->ni", inverse, crystal_axes)
    return np.asarray(np.einsum("nij,nj->ni", state.crystal, bent @ orientation.T))


def pose_centre(layout: Layout, pose: RigidMotion) -> Floats:
    """(3,) the centre of the detector in the laboratory, in mm."""
    return pose.points(layout.centre_root_mm.mean(axis=0))
