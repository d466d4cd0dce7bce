"""A detector with the corrections of its panels, as exports write it."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.detector.correction import CorrectionEstimate
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Beam, Detector


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedDetector:
    """A detector with the corrections of its panels, and the beam it faces."""

    detector: Detector
    """With its panels where the calibration places them, in the order of the other program."""
    beam: Beam
    layout: Layout
    """The panels at their nominal positions, in the order of the store."""
    estimate: CorrectionEstimate
    """The correction of each panel of the layout, with its uncertainty."""
