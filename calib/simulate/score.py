"""Errors of an estimated correction at the corners of the panels."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, fit_rigid
from calib.model.detector.layout import Layout
from calib.model.result.corner_errors import CornerErrors


def corner_errors(
    layout: Layout,
    estimate: Correction,
    truth: Correction,
    lab_from_root: RigidMotion,
    chosen: Bools | None = None,
) -> CornerErrors:
    """The errors of the ``chosen`` (n,) panels after the best rigid alignment (without scale: the
    pixel size is known), for a detector at the pose ``lab_from_root``."""
    mine = np.ones(len(layout), dtype=np.bool_) if chosen is None else chosen
    corners = layout.corners_panel_mm()
    found = estimate.frames(layout).points(corners)[mine].reshape(-1, 3)
    true = truth.frames(layout).points(corners)[mine].reshape(-1, 3)
    aligned = fit_rigid(found, true, np.ones(len(found))).points(found)
    miss = 1e3 * (aligned - true) @ lab_from_root.rotation.T
    normal = lab_from_root.rotation @ layout.normal_root
    ray = lab_from_root.points(true)
    out = miss @ normal
    across = miss - np.outer(out, normal)
    seen = miss - ray * (out / (ray @ normal))[:, None]
    return CornerErrors(
        in_plane_um=float(np.sqrt((across**2).sum(axis=1).mean())),
        normal_um=float(np.sqrt((out**2).mean())),
        seen_um=float(np.sqrt((seen**2).sum(axis=1).mean())),
    )
