"""export: write a calibrated detector as a geometry file of another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.errors import LayoutError
from calib.files.atomic import write_safely
from calib.files.reader import read_experiments
from calib.files.writer import EXPORTS, ExportFormat
from calib.flows.shared.distances import check_distance
from calib.flows.shared.modules import registered_modules
from calib.model.experiment.calibrated_detector import CalibratedDetector
from calib.model.experiment.experiment import Beam, Detector, Sensors
from calib.model.experiment.pose import facing_pose, locate_detector
from calib.model.store.protocol import StoreLike

_NOMINAL_WAVELENGTH_ANGSTROM = 1.0
"""Written where no experiment list is given; ``dials.import`` keeps that of the images."""


def export_geometry(
    store: StoreLike,
    reference: str,
    *,
    form: ExportFormat,
    serial: str | None,
    like: Path | None,
    distance_mm: float | None,
    output: Path,
    force: bool = False,
) -> str:
    """Write a calibrated detector in a ``form`` of ``writer.EXPORTS``; returns how to use it.

    Its pose is that of the experiment ``like``, or else it faces the beam at ``distance_mm``
    (default: the shortest distance it was derived at).
    """
    export = EXPORTS[form].export()
    if distance_mm is not None:
        check_distance(distance_mm)
    found = store.calibrations.get(reference, serial)
    record = store.detectors.get(found.record.serial)
    layout, estimate = record.layout, found.record.estimate
    beam = Beam(np.array([0.0, 0.0, 1.0]), _NOMINAL_WAVELENGTH_ANGSTROM)
    none = np.zeros(len(layout))
    sensors = Sensors(none > 0.0, none, none)
    panels, identifier = layout.panels, record.description
    if like is None:
        shortest = found.record.distances_mm[0]
        pose = facing_pose(layout, shortest if distance_mm is None else distance_mm)
        order = tuple(range(len(layout)))
    else:
        file = read_experiments(like)
        models = file.experiments
        if models.detectors and len(models.detectors[0].panels) == 1:
            one = registered_modules(models.detectors[0], 0, store, record.serial, place=str(like))
            models = file.split({0: one.known.modules}).experiments
        detector, beam = models.detectors[0], models.beams[0]
        try:
            placement = locate_detector(
                layout, detector, store.calibrations.corrections(record.serial)
            )
        except LayoutError as error:
            raise LayoutError(
                error.code,
                error.problem,
                place=str(like),
                remedy="use --like with an experiment list of this detector.",
            ) from error
        pose, order = placement.lab_from_root, placement.order
        sensors, panels, identifier = detector.sensors, detector.panels, detector.identifier
    frames = estimate.correction.frames(layout).moved(pose)
    frames = frames.taken(np.argsort(np.array(order)).tolist())
    corrected = Detector(panels, frames, pose, sensors, identifier)
    calibrated = CalibratedDetector(corrected, beam, layout, estimate)
    write_safely(
        output,
        export.to_bytes(calibrated),
        export.kind,
        inputs=() if like is None else (like,),
        store=store.files,
        force=force,
    )
    return export.hint.format(output=output)
