"""The experiment that a calibration is applied to: its detectors, their serials, times, poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from calib.errors import InputError
from calib.files.reader import ExperimentFile, refuse_one_panel
from calib.flows.shared.distances import refuse_no_distance
from calib.flows.shared.identity import serial_of
from calib.flows.shared.times import instant_of_epoch, read_instant
from calib.model.base.arrays import Ints
from calib.model.detector.correction import Correction
from calib.model.detector.layout import PanelFrames
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.pose import DetectorPose, locate_detector
from calib.model.experiment.reflections import Positions
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One detector of an experiment list, found among those that the store knows."""

    index: int
    """In the list's detectors."""
    detector: Detector
    record: DetectorRecord
    placement: DetectorPose
    distance_mm: float
    """From the pose, along the detector's normal, unless a person said otherwise."""
    time: datetime | None
    """When the data were taken, in UTC."""

    def frames_with(self, correction: Correction) -> PanelFrames:
        """The corrected panels relative to the file's own root frame, in the file's order.

        Inside an exact pose they are the correction's frames themselves, whatever the pose is, so
        that nothing is lost to rounding.
        """
        root_frames = correction.frames(self.record.layout)
        own_root = self.detector.lab_from_root
        if not self.placement.exact:
            pose = self.placement.lab_from_root
            to_file = pose if own_root is None else own_root.inverse() @ pose
            root_frames = root_frames.moved(to_file)
        return root_frames.taken(np.argsort(np.array(self.placement.order)).tolist())

    def lab_frames_with(self, correction: Correction) -> PanelFrames:
        """The corrected panels in the laboratory, in the file's order."""
        frames, own_root = self.frames_with(correction), self.detector.lab_from_root
        return frames if own_root is None else frames.moved(own_root)


def targets_in(
    file: ExperimentFile,
    place: Path,
    store: StoreLike,
    *,
    serial: str | None,
    force_serial: bool,
    at: str | None,
    distance_mm: float | None,
    now: datetime,
) -> list[Target]:
    """Every detector that the experiments of a file use.

    Raises ``InputError`` for a detector without a serial, ``NotFoundError`` for one that the store
    does not know, ``LayoutError`` for other panels than it has.
    """
    if distance_mm is not None:
        refuse_no_distance(distance_mm)
    models = file.experiments
    used = sorted({entry.detector for entry in models.experiments})
    found = []
    for index in used or range(len(models.detectors)):
        detector = models.detectors[index]
        refuse_one_panel(detector, str(place))
        name = serial_of(detector, serial, force=force_serial, place=str(place))
        record = store.detectors.get(name)
        placement = locate_detector(record.layout, detector, store.calibrations.corrections(name))
        time = (
            read_instant(at, record.time_zone, now)
            if at is not None
            else instant_of_epoch(_earliest_epoch(file, index), record.time_zone)
        )
        distance = distance_mm or record.layout.distance_mm(placement.lab_from_root)
        found.append(Target(index, detector, record, placement, distance, time))
    return found


def detector_of_rows(models: ExperimentList, positions: Positions) -> Ints:
    """(n,) the detector of each reflection; -1 where it cannot be told.

    Through the reflection's experiment, else through its imageset, else the only detector.
    """
    entries = models.experiments
    of_experiment = np.array([entry.detector for entry in entries] + [-1])
    out = np.asarray(of_experiment[positions.experiment])
    used = sorted({entry.detector for entry in entries})
    if len(used) == 1:
        return np.full(len(out), used[0])
    imageset = positions.imageset
    if imageset is not None:
        for value in np.unique(imageset).tolist():
            through = {entry.detector for entry in entries if entry.imageset == value}
            if len(through) == 1:
                out[(out < 0) & (imageset == value)] = through.pop()
    return out


def _earliest_epoch(file: ExperimentFile, detector: int) -> float | None:
    models = file.experiments
    scans = {e.scan for e in models.experiments if e.detector == detector and e.scan is not None}
    epochs = [models.scans[k].epoch for k in scans]
    return min((epoch for epoch in epochs if epoch), default=None)


def refuse_without_time(targets: Sequence[Target], place: Path) -> None:
    """Raise ``InputError`` where it is not known when the data were taken."""
    if any(target.time is None for target in targets):
        raise InputError(
            "no-time",
            "the experiment does not say when the data were taken.",
            place=str(place),
            remedy="--at TIME (such as --at 2026-03-01) or --at now.",
        )
