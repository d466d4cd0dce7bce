"""How far an estimated correction is from the truth, at the corners of the panels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, fit_rigid
from calib.model.detector.layout import Layout


@dataclass(frozen=True, slots=True)
class CornerErrors:
    """Root mean square distances of panel corners from the truth, in micrometres."""

    in_plane_um: float
    """In the detector's plane."""
    normal_um: float
    """Along the detector's normal."""
    seen_um: float
    """Across the rays from the sample: what a reflection would notice, in the plane."""


def corner_errors(
    layout: Layout,
    estimate: Correction,
    truth: Correction,
    lab_from_root: RigidMotion,
    chosen: Bools | None = None,
) -> CornerErrors:
    """The errors of the ``chosen`` (n,) panels after the rigid motion that fits them best is taken
    out (no scale: the pixel size is known). The estimate's detector stands at ``lab_from_root``."""
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
