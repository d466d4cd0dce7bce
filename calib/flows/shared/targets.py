"""Targets of a calibration: the detectors of an experiment list with serial, time and pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from calib.errors import InputError
from calib.files.reader import ExperimentFile, refuse_one_panel
from calib.flows.shared.distances import check_distance
from calib.flows.shared.identity import (
    chosen_detectors,
    default_serial,
    serial_of,
    serial_of_reference,
)
from calib.flows.shared.images import Images, instant_of_header
from calib.flows.shared.lookups import Lookups
from calib.flows.shared.times import instant_of_epoch, read_instant
from calib.model.base.arrays import Ints
from calib.model.detector.correction import Correction
from calib.model.detector.layout import PanelFrames
from calib.model.experiment import epochs
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.pose import DetectorPose, locate_detector
from calib.model.experiment.reflections import Positions
from calib.model.store.record import DetectorRecord


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One detector of an experiment list, with its record in the store."""

    index: int
    """Among the detectors of the list."""
    detector: Detector
    record: DetectorRecord
    pose: DetectorPose
    distance_mm: float
    """Along the detector's normal, from the pose unless given by the user."""
    time: datetime | None
    """When the data were taken, in UTC."""
    why_no_time: str = ""
    """Why the epochs in the file do not give the time, as a clause."""
    from_image: str = ""
    """The image that gives the time instead; empty where the file or the user does."""

    def frames_with(self, correction: Correction) -> PanelFrames:
        """The corrected panels relative to the file's own root frame, in the file's order.

        With an exact pose they are the correction's frames themselves, so that nothing is lost to
        rounding.
        """
        root_frames = correction.frames(self.record.layout)
        own_root = self.detector.lab_from_root
        if not self.pose.exact:
            pose = self.pose.lab_from_root
            to_file = pose if own_root is None else own_root.inverse() @ pose
            root_frames = root_frames.moved(to_file)
        return root_frames.taken(np.argsort(np.array(self.pose.order)).tolist())

    def lab_frames_with(self, correction: Correction) -> PanelFrames:
        """The corrected panels in the laboratory, in the file's order."""
        frames, own_root = self.frames_with(correction), self.detector.lab_from_root
        return frames if own_root is None else frames.moved(own_root)


def targets_in(
    file: ExperimentFile,
    place: Path,
    lookups: Lookups,
    *,
    images: Images,
    serial: str | None,
    force_serial: bool,
    calibration: str | None,
    at: str | None,
    distance_mm: float | None,
    now: datetime,
) -> list[Target]:
    """The detectors that the experiments of a file use; with ``serial`` those that name it, where
    any does.

    ``calibration``, if named by its detector and version, gives the serial where nothing else does.
    Raises ``InputError`` for a detector without a serial, ``NotFoundError`` for one that the store
    does not know, ``LayoutError`` for other panels than it has.
    """
    if distance_mm is not None:
        check_distance(distance_mm)
    models = file.experiments
    found = []
    for index in chosen_detectors(models, serial, force=force_serial, place=str(place)):
        detector = models.detectors[index]
        refuse_one_panel(detector, str(place))
        scans, why, image = models.epochs_of(index), "", images.found.get(index)

        def default(epoch: float | None = epochs.earliest(scans)) -> str | None:
            return serial_of_reference(calibration) or default_serial(lookups.store, epoch, now)

        name = serial_of(
            detector,
            serial,
            force=force_serial,
            place=str(place),
            image=image,
            default=default,
        )
        record = lookups.detector(name)
        pose = locate_detector(record.layout, detector, lookups.corrections(name))
        from_image = ""
        if at is not None:
            time: datetime | None = read_instant(at, record.zones, now)
        else:
            time = instant_of_epoch(epochs.earliest(scans), record.zones)
            why = epochs.ignored(scans)
            if time is None and image is not None:
                time = instant_of_header(image.header, record.zones)
                from_image = "" if time is None else str(image.path)
        distance = distance_mm or record.layout.distance_mm(pose.lab_from_root)
        found.append(Target(index, detector, record, pose, distance, time, why, from_image))
    return found


def detector_of_rows(models: ExperimentList, positions: Positions) -> Ints:
    """(n,) index of the detector of each reflection; -1 where it is unknown.

    It is that of the reflection's experiment, else of its imageset, else the only detector.
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


def refuse_without_time(targets: Sequence[Target], place: Path) -> None:
    """Raise ``InputError`` where the time of the data is unknown."""
    for target in targets:
        if target.time is not None:
            continue
        why = f": {target.why_no_time}" if target.why_no_time else ""
        raise InputError(
            "no-time",
            f"the experiment list does not state when the data were taken{why}.",
            place=str(place),
            remedy="use --at TIME, such as --at 2026-03-01, or --at now.",
        )
