"""export: write a calibrated detector as a geometry file of another program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calib.config.layouts import known_detectors
from calib.errors import InputError, LayoutError
from calib.files.atomic import Outputs
from calib.files.exchange.source import ExportSource
from calib.files.exchange.table_sign import TableSign
from calib.files.reader import read_experiments
from calib.files.writer import EXPORTS, ExportFormat
from calib.flows.shared.distances import check_distance
from calib.flows.shared.identity import serial_of
from calib.flows.shared.images import ImagePlaces, images_in
from calib.flows.shared.modules import registered_modules
from calib.model.detector.correction import Correction
from calib.model.experiment.calibrated_detector import CalibratedDetector
from calib.model.experiment.experiment import Beam, Detector, Sensors
from calib.model.experiment.pose import facing_pose, locate_detector
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord, StoredCalibration

_NOMINAL_WAVELENGTH_ANGSTROM = 1.0
"""Where no experiment list is given; formats that state a wavelength need one."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A geometry that was written."""

    hint: str
    """How to use it, in one sentence."""
    outputs: tuple[Path, ...]


def export_geometry(
    store: StoreLike,
    reference: str,
    *,
    form: ExportFormat,
    serial: str | None,
    like: Path | None,
    distance_mm: float | None,
    output: Path,
    places: ImagePlaces | None = None,
    force_serial: bool = False,
    sign: TableSign = TableSign.PLUS,
    force: bool = False,
) -> Exported:
    """Write a calibrated detector in a ``form`` of ``writer.EXPORTS``.

    Its pose is that of the first experiment in ``like``, or else it faces the beam at
    ``distance_mm`` (default: the shortest distance it was derived at). Raises ``InputError``
    (``needs-experiments``) where a format states more than a calibration knows, and where the
    experiments, or an image that they name, are of another detector, unless ``force_serial``.
    """
    export = EXPORTS[form].export()
    if distance_mm is not None:
        check_distance(distance_mm)
    found = store.calibrations.get(reference, serial)
    record = store.detectors.get(found.record.serial)
    if like is None:
        if export.needs_like:
            raise InputError(
                "needs-experiments",
                f"a file for {form.program} needs an experiment list: {export.needs_like}.",
                remedy="use --like with an experiment list imported from images of this detector.",
            )
        source = nominal_source(record, found, distance_mm)
    else:
        source = source_like(
            store, record, found, like, places or ImagePlaces(), force_serial=force_serial
        )
    source = replace(source, sign=sign)
    given = () if like is None else (like,)
    written = export.files(source, output)
    with Outputs(inputs=given, store=store.files, force=force) as outputs:
        for path, content in written:
            outputs.stage(path, content, export.kind)
        outputs.commit()
    return Exported(export.hint(source, output), tuple(path for path, _ in written))


def nominal_source(
    record: DetectorRecord, found: StoredCalibration, distance_mm: float | None
) -> ExportSource:
    """A detector that faces the beam at a distance, by default the shortest of its datasets."""
    layout, estimate = record.layout, found.record.estimate
    shortest = found.record.distances_mm[0]
    pose = facing_pose(layout, shortest if distance_mm is None else distance_mm)
    none = np.zeros(len(layout))
    detector = Detector(
        layout.panels,
        estimate.correction.frames(layout).moved(pose),
        pose,
        Sensors(none > 0.0, none, none),
        record.description,
        layout.groups,
    )
    beam = Beam(np.array([0.0, 0.0, 1.0]), _NOMINAL_WAVELENGTH_ANGSTROM)
    known = known_detectors().of_panels(layout, record.description)
    calibrated = CalibratedDetector(detector, beam, layout, estimate)
    return ExportSource(
        calibrated, found.name, found.stored.at, layout.frames.moved(pose), known=known
    )


def source_like(
    store: StoreLike,
    record: DetectorRecord,
    found: StoredCalibration,
    like: Path,
    places: ImagePlaces,
    *,
    force_serial: bool = False,
) -> ExportSource:
    """A detector at the pose of the first experiment of a file, which is split into modules where
    it has one panel."""
    layout, estimate = record.layout, found.record.estimate
    file = read_experiments(like)
    models = file.experiments
    if not models.experiments:
        raise InputError(
            "no-experiments",
            "the file has no experiment.",
            place=str(like),
            remedy="use --like with an experiment list of this detector.",
        )
    first = models.experiments[0]
    images = images_in(file, like, places)
    serial_of(
        models.detectors[first.detector],
        record.serial,
        force=force_serial,
        place=str(like),
        image=images.found.get(first.detector),
        remedy="use --like with experiments of this detector, or add --force-serial.",
    )
    was_split = len(models.detectors[first.detector].panels) == 1 < len(layout)
    if was_split:
        one = registered_modules(
            models.detectors[first.detector],
            first.detector,
            store,
            record.serial,
            images.header(first.detector),
            place=str(like),
        )
        file = file.split({first.detector: one.known.modules})
        models = file.experiments
    detector = models.detectors[first.detector]
    known: list[tuple[str, Correction]] = list(store.calibrations.corrections(record.serial))
    try:
        placement = locate_detector(layout, detector, known)
    except LayoutError as error:
        raise LayoutError(
            error.code,
            error.problem,
            place=str(like),
            remedy="use --like with an experiment list of this detector.",
        ) from error
    pose, order = placement.lab_from_root, np.argsort(np.array(placement.order)).tolist()
    frames = estimate.correction.frames(layout).moved(pose).taken(order)
    corrected = Detector(
        detector.panels,
        frames,
        detector.lab_from_root,
        detector.sensors,
        detector.identifier,
        detector.groups,
    )
    beam = models.beams[first.beam]
    return ExportSource(
        CalibratedDetector(corrected, beam, layout, estimate),
        found.name,
        found.stored.at,
        layout.frames.moved(pose).taken(order),
        file,
        was_split=was_split,
        known=known_detectors().of_panels(layout, detector.identifier),
    )
