"""export: a calibration as a geometry that other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.errors import LayoutError
from calib.files.atomic import write_safely
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import reference_geometry_bytes
from calib.flows.shared.distances import refuse_no_distance
from calib.model.experiment.experiment import Beam, Detector, Sensors
from calib.model.experiment.pose import facing_pose, locate_detector
from calib.model.store.protocol import StoreLike

_NOMINAL_WAVELENGTH_ANGSTROM = 1.0
"""Written where no experiment gives one; ``dials.import`` keeps the images' own."""


def export_dials(
    store: StoreLike,
    reference: str,
    *,
    serial: str | None,
    like: Path | None,
    distance_mm: float | None,
    output: Path,
    force: bool = False,
) -> Path:
    """Write a reference geometry for ``dials.import reference_geometry=``.

    DIALS takes the whole detector from it, its pose included: that of the experiment ``like``, or
    else facing the beam at ``distance_mm`` (default: the shortest distance it was derived at).
    """
    if distance_mm is not None:
        refuse_no_distance(distance_mm)
    found = store.calibrations.get(reference, serial)
    record = store.detectors.get(found.record.serial)
    layout, correction = record.layout, found.record.estimate.correction
    beam = Beam(np.array([0.0, 0.0, 1.0]), _NOMINAL_WAVELENGTH_ANGSTROM)
    none = np.zeros(len(layout))
    sensors = Sensors(none > 0.0, none, none)
    panels, identifier = layout.panels, record.description
    if like is None:
        shortest = found.record.distances_mm[0]
        pose = facing_pose(layout, shortest if distance_mm is None else distance_mm)
        order = tuple(range(len(layout)))
    else:
        models = ExperimentFile.read(like).experiments
        detector, beam = models.detectors[0], models.beams[0]
        try:
            placement = locate_detector(
                layout, detector, store.calibrations.corrections(record.serial)
            )
        except LayoutError as error:
            raise LayoutError(
                error.code, error.problem, place=str(like), remedy="another --like."
            ) from error
        pose, order = placement.lab_from_root, placement.order
        sensors, panels, identifier = detector.sensors, detector.panels, detector.identifier
    frames = correction.frames(layout).moved(pose)
    frames = frames.taken(np.argsort(np.array(order)).tolist())
    corrected = Detector(panels, frames, pose, sensors, identifier)
    write_safely(output, reference_geometry_bytes(corrected, beam), force=force)
    return output
