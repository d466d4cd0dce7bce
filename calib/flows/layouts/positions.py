"""Observed positions as an ideal detector of one panel would have seen them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

import numpy as np

from calib.flows.layouts.one_panel import Prepared
from calib.flows.layouts.split import detector_of
from calib.flows.shared.targets import Target
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.layout import PanelFrames
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.experiment import Detector
from calib.model.experiment.parallax import mm_from_px, px_from_mm


def ideal_positions(
    ready: Prepared, corrections: Sequence[tuple[Target, Correction]]
) -> Callable[[BinaryIO], None]:
    """A writer of the reflections with the positions of an ideal detector.

    Spots in gaps between modules stay where they are.
    """
    positions = ready.data.positions()
    mm = positions.centroid_mm.copy()
    px = None if positions.centroid_px is None else positions.centroid_px.copy()
    of_detector = detector_of(ready.data)
    known = {one.index: one.known for one in ready.split}
    for target, correction in corrections:
        if target.index not in known:
            continue
        whole = ready.data.file.experiments.detectors[target.index]
        rows = np.flatnonzero(of_detector == target.index)
        rows = rows[mm[rows].any(axis=1) & np.isfinite(mm[rows]).all(axis=1)]
        nothing = np.zeros(len(rows), dtype=np.int64)
        seen = px_from_mm(mm[rows, :2], nothing, whole) if px is None else px[rows, :2]
        modules = known[target.index].modules
        module = modules.at(seen)
        rows, seen, nothing = rows[module >= 0], seen[module >= 0], nothing[module >= 0]
        frames = target.lab_frames_with(correction)
        new_px, new_mm = ideal_position(
            seen, module[module >= 0], modules, target.detector, frames, whole
        )
        # What px and mm of the file disagree in stays.
        mm[rows, :2] += new_mm - mm_from_px(seen, nothing, whole)
        if px is not None:
            px[rows, :2] = new_px
    return ready.data.with_ideal_positions(px, mm)


def ideal_position(
    px: Floats,
    module: Ints,
    modules: ModuleMap,
    parts: Detector,
    frames: PanelFrames,
    whole: Detector,
) -> tuple[Floats, Floats]:
    """Where the rays to spots meet the ideal panel: (n, 2) in px and in mm.

    ``px`` (n, 2) are observed in the image, on modules ``module`` (n,), which are ``parts`` at
    ``frames`` in the laboratory; ``whole`` is the detector of one panel. The parallax is that of
    each detector.
    """
    own_px = px - modules.boxes_px[module, :2]
    own_mm = mm_from_px(own_px, module, parts, frames)
    lab = frames.origin_mm[module] + np.einsum(
        "nij,nj->ni", frames.rotation[module][:, :, :2], own_mm
    )
    inner, origin = lab @ whole.frames.rotation[0], whole.frames.origin_mm[0]
    corner = origin @ whole.frames.rotation[0]
    along = corner[2] / inner[:, 2]
    ideal_mm = np.asarray(inner[:, :2] * along[:, None] - corner[:2])
    return px_from_mm(ideal_mm, np.zeros(len(px), dtype=np.int64), whole), ideal_mm
