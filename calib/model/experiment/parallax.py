"""From pixels to millimetres on a panel and back, exactly as dxtbx does it.

Without parallax: mm = px * pixel size. With the parallax correction, a photon that enters with
cosine c = s1 . normal is absorbed on average at the depth

    o = 1/mu - (t/c + 1/mu) exp(-mu t / c)

along its path, so that px * pixel size = mm + o (s1 . fast, s1 . slow); the inverse evaluates
s1 at the uncorrected point, in one step (``parallax_correction.h`` of dxtbx).
"""

from __future__ import annotations

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.layout import PanelFrames
from calib.model.experiment.experiment import Detector


def mm_from_px(
    px: Floats, panel: Ints, detector: Detector, frames: PanelFrames | None = None
) -> Floats:
    """Positions (n, 2) in mm on the panels ``panel`` (n,) of positions ``px`` (n, 2).

    ``frames`` replaces the detector's own laboratory frames. Raises ``InputError`` if a
    panel with parallax is seen edge-on from the sample.
    """
    plain = np.asarray(px, dtype=np.float64) * _pixel_mm(detector)[panel]
    return plain - _depth_shift_mm(plain, panel, detector, frames)


def px_from_mm(
    mm: Floats, panel: Ints, detector: Detector, frames: PanelFrames | None = None
) -> Floats:
    """Positions (n, 2) in px of positions ``mm`` (n, 2) on the panels ``panel`` (n,).

    ``frames`` replaces the detector's own laboratory frames. Raises ``InputError`` if a
    panel with parallax is seen edge-on from the sample.
    """
    mm = np.asarray(mm, dtype=np.float64)
    return (mm + _depth_shift_mm(mm, panel, detector, frames)) / _pixel_mm(detector)[panel]


def corrected(detector: Detector) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) the panels whose parallax is corrected: it is requested, and mu and thickness are known.

    dxtbx silently uses no parallax correction if either is missing.
    """
    sensors = detector.sensors
    return np.asarray(sensors.parallax & (sensors.mu_per_mm > 0) & (sensors.thickness_mm > 0))


def _pixel_mm(detector: Detector) -> Floats:
    return np.array([shape.pixel_mm for shape in detector.panels]).reshape(-1, 2)


def _depth_shift_mm(
    mm: Floats, panel: Ints, detector: Detector, frames: PanelFrames | None
) -> Floats:
    """(n, 2) o (s1 . fast, s1 . slow) at positions ``mm`` (n, 2); 0 without parallax."""
    shift = np.zeros_like(mm)
    panel = np.asarray(panel)
    acts = corrected(detector)[panel]
    if not acts.any():
        return shift
    frames = detector.frames if frames is None else frames
    which = panel[acts]
    # s1 in the panel's own axes: (fast, slow, normal) components of origin + x fast + y slow.
    components = np.einsum("nji,nj->ni", frames.rotation, frames.origin_mm)[which]
    components[:, :2] += mm[acts]
    s1 = components / np.linalg.norm(components, axis=1, keepdims=True)
    cosine = np.abs(s1[:, 2])
    if (cosine <= 0.0).any():
        edge_on = int(which[np.argmax(cosine <= 0.0)])
        raise InputError(
            "edge-on-panel",
            f"panel {edge_on} is seen edge-on from the sample, so its parallax is undefined.",
            place=f"panel {edge_on}",
        )
    mu, thickness = detector.sensors.mu_per_mm[which], detector.sensors.thickness_mm[which]
    depth = 1.0 / mu - (thickness / cosine + 1.0 / mu) * np.exp(-mu * thickness / cosine)
    shift[acts] = depth[:, None] * s1[:, :2]
    return shift
