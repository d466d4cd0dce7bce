"""A calibration of the detector in a file, in a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calib.files.dials.expt import ExperimentFile
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import layout_of
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.simulate.truth import random_correction
from calib.store.store import Store
from support.records import calibration

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
SERIAL = "X-1"


def calibrated(store: Store, like: Path, known: str = "", serial: str = SERIAL) -> Correction:
    """Register the detector of a file under ``serial``, with a random calibration.

    ``known`` names its layout, where the file describes it as one panel.
    """
    detector = ExperimentFile.read(like).experiments.detectors[0]
    layout = known_layout(known) if known else layout_of(detector)[0]
    record = DetectorRecord(serial, layout, "Europe/London", detector.identifier)
    correction = random_correction(np.random.default_rng(5), layout)
    made = calibration(serial, n_panels=len(layout))
    made = replace(
        made,
        layout_id=record.layout_id,
        panel_names=tuple(panel.name for panel in layout.panels),
        estimate=replace(made.estimate, correction=correction),
    )
    store.calibrations.add(made, (None,) * len(made.report.datasets), STAMP, record)
    return correction
