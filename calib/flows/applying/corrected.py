"""Experiments with corrected panels, and reflections whose positions follow them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.errors import InputError
from calib.files.reader import TOGETHER, DataFiles, ExperimentFile
from calib.flows.shared.targets import Target, detector_of_rows
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.layout import Layout
from calib.model.experiment.parallax import mm_from_px, px_from_mm

_UNCHANGED_MM = 1e-7

Corrections = Sequence[tuple[Target, Correction]]


def corrected_file(file: ExperimentFile, corrections: Corrections) -> ExperimentFile:
    """The file with corrected panels; bytes are unchanged where panels need not move."""
    frames = {}
    for target, correction in corrections:
        new, now = target.frames_with(correction), file.root_frames(target.index)
        corners = Layout(target.detector.panels, now).corners_panel_mm()
        if np.abs(new.points(corners) - now.points(corners)).max() > _UNCHANGED_MM:
            frames[target.index] = new
    return file.with_frames(frames)


def moved_reflections(data: DataFiles, corrections: Corrections) -> Floats:
    """Positions in mm that follow the panels: mm + [mm(px, new) - mm(px, old)], px kept."""
    positions = data.positions()
    mm = positions.centroid_mm.copy()
    detector_of = detector_of_rows(data.file.experiments, positions)
    for target, correction in corrections:
        mine = np.flatnonzero(detector_of == target.index)
        detector, on = target.detector, positions.panel[mine]
        if len(on) and (on.min() < 0 or on.max() >= len(detector.panels)):
            raise InputError(
                "panel-out-of-range",
                f"a reflection names panel {int(on.max())}, but the detector has "
                f"{len(detector.panels)} panels.",
                place=f"{data.reflection_path}, column panel",
                remedy=TOGETHER,
            )
        old, all_px = mm[mine, :2], positions.centroid_px
        px = px_from_mm(old, on, detector) if all_px is None else all_px[mine, :2]
        new_frames = target.lab_frames_with(correction)
        moved = mm_from_px(px, on, detector, new_frames) - mm_from_px(px, on, detector)
        mm[mine, :2] = old + moved
    return mm
