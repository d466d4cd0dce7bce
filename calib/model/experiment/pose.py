"""The pose of a detector in one experiment, and the correction that its panels already have.

Candidates are the nominal layout and every known calibration of it. If the file has a root frame
and the panels agree with a candidate in it, the root frame is the pose, kept exactly. Otherwise
each candidate is fitted rigidly; the best one is used if it fits within a micrometre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.errors import LayoutError
from calib.model.base.arrays import Floats
from calib.model.base.bounds import LENGTH_MM
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, fit_rigid, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.model.experiment.experiment import Detector

DRAWN = "as drawn"
"""The name of the candidate without a correction (stored in receipts)."""
_SAME_MM = 1e-6
_FITS_MM = 1e-3
_OTHERS_MM = 5.0
"""No refinement moves a panel this far: panels that fit worse are in another order, or belong to
another detector."""
_ROUNDS = 20


@dataclass(frozen=True, slots=True, eq=False)
class DetectorPose:
    """A detector of a known layout, found in an experiment."""

    lab_from_root: RigidMotion
    """The pose."""
    order: tuple[int, ...]
    """For each panel of the layout, its index in the experiment."""
    carries: str
    """The candidate that the panels agree with; empty if none fits within a micrometre."""
    correction: Correction | None
    """The correction of that candidate; None if none fits."""
    residual_mm: float
    """The largest distance of a panel corner from the best-fitting candidate."""
    exact: bool
    """Whether the pose is the file's own root frame."""


def locate_detector(
    layout: Layout, detector: Detector, known: Sequence[tuple[str, Correction]]
) -> DetectorPose:
    """The pose of a detector, and which of the ``known`` corrections its panels carry.

    Raises ``LayoutError``, which says what differs, if the panels are not those of the layout.
    """
    if not (LENGTH_MM.all_in(layout.frames.origin_mm) and LENGTH_MM.all_in(layout.size_mm)):
        raise LayoutError(
            "bad-layout",
            "the registered panels of this detector are more than 100 m from one another.",
            remedy="register the detector again under another serial.",
        )
    order = panel_order(layout, detector.panels)
    known = [(name, correction) for name, correction in known if correction.within_bounds]
    candidates = [(DRAWN, Correction.none(len(layout))), *known]
    corners = layout.corners_panel_mm()
    seen_lab = detector.frames.taken(list(order)).points(corners)
    root = detector.lab_from_root
    if root is not None:
        seen_root = root.inverse().points(seen_lab)
        for name, correction in candidates:
            miss = _farthest(seen_root, correction.frames(layout).points(corners))
            if miss <= _SAME_MM:
                return DetectorPose(root, order, name, correction, miss, exact=True)
    fitted = [
        (_fit(correction.frames(layout), corners, seen_lab), name, correction)
        for name, correction in candidates
    ]
    (pose, miss), name, correction = min(fitted, key=lambda found: found[0][1])
    if miss <= _FITS_MM:
        return DetectorPose(pose, order, name, correction, miss, exact=False)
    if miss > _OTHERS_MM:
        raise LayoutError(
            "other-layout",
            "these are not the panels of the calibrated detector, or their order and names differ: "
            f"in this order they are up to {miss:.0f} mm from their nominal places.",
            remedy="give the serial of the detector that took these data with --serial, or import "
            "the images again with the program that imported the metrology data.",
        )
    return DetectorPose(pose, order, "", None, miss, exact=False)


def panel_order(layout: Layout, panels: tuple[PanelShape, ...]) -> tuple[int, ...]:
    """For each panel of the layout, its index in another reader's order: by name if the same names
    appear in another order, else by position."""
    mine, theirs = [p.name for p in layout.panels], [p.name for p in panels]
    index = {name: k for k, name in enumerate(theirs)}
    if len(index) == len(theirs) and set(mine) == set(theirs):
        order = tuple(index[name] for name in mine)
    else:
        order = tuple(range(len(panels)))
    difference = layout.difference(tuple(panels[k] for k in order if k < len(panels)))
    if difference:
        raise LayoutError(
            "other-layout",
            f"these are not the panels of the calibrated detector: {difference}.",
            remedy="give the serial of the detector that took these data with --serial.",
        )
    return order


def layout_of(detector: Detector) -> tuple[Layout, RigidMotion]:
    """The layout and the pose of a detector whose panels are taken to be nominal: relative to its
    root frame or, without one, to the frame of its first panel."""
    root = detector.lab_from_root or RigidMotion(
        detector.frames.rotation[0], detector.frames.origin_mm[0]
    )
    return Layout(detector.panels, detector.frames.moved(root.inverse()), detector.groups), root


def _farthest(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b, axis=-1).max())


def _fit(root_frames: PanelFrames, corners: Floats, seen_lab: Floats) -> tuple[RigidMotion, float]:
    """The pose that best maps the panels to their observed places, and the largest residual.

    Panels far from the consensus get less weight (Cauchy weights), so that a few displaced panels
    do not rotate the detector.
    """
    here, there = root_frames.points(corners).reshape(-1, 3), seen_lab.reshape(-1, 3)
    weights = np.ones(len(here))
    for _ in range(_ROUNDS):
        pose = fit_rigid(here, there, weights)
        miss = np.linalg.norm(pose.points(here) - there, axis=1)
        scale = max(2.0 * float(np.median(miss)), 1e-9)
        weights = 1.0 / (1.0 + (miss / scale) ** 2)
    return pose, float(miss.max())


def facing_pose(
    layout: Layout,
    distance_mm: float,
    *,
    beam_centre_mm: tuple[float, float] = (0.0, 0.0),
    tilt_rad: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> RigidMotion:
    """lab_from_root of a detector that faces the sample at ``distance_mm`` along -z.

    Fast runs along +x and slow along -y; ``beam_centre_mm`` (fast, slow) is the position of the
    detector's centre relative to the beam; ``tilt_rad`` rotates it about that centre.
    """
    upright = np.diag([1.0, -1.0, -1.0])
    middle_root = layout.centre_root_mm.mean(axis=0)
    middle_lab = np.array([beam_centre_mm[0], -beam_centre_mm[1], -distance_mm])
    rotation = rotation_from_vector(np.array(tilt_rad)) @ upright
    return RigidMotion(rotation, middle_lab - rotation @ middle_root)
