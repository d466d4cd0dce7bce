"""Recording of a derivation: calibration, datasets, summaries, and the detector if it is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from calib.errors import InputError, LayoutError
from calib.model.result.summary import SummaryFile
from calib.model.store.log import STORE_CHAIN
from calib.model.store.provenance import Provenance
from calib.model.store.record import (
    CalibrationRecord,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.store.log.log import recording
from calib.store.records import calibrations, detectors
from calib.store.records.references import position_of


def add_derivation(
    connection: Connection,
    record: CalibrationRecord,
    starts: Sequence[datetime | None],
    stamp: ChangeStamp,
    new_detector: DetectorRecord | None,
    summaries: Sequence[SummaryFile | None],
    provenance: Provenance | None,
) -> tuple[StoredCalibration, bool]:
    """Record a calibration; returns it, and whether it is new.

    A calibration that is recorded already is returned unchanged, with False. ``new_detector`` is
    registered unless it is in the store.
    """
    _check(record, starts, new_detector)
    _check_summaries(record, summaries)
    existing = position_of(connection, record.id)
    if existing is not None:
        return calibrations.read_calibration(connection, existing), False
    known = detectors.find_detector(connection, record.serial)
    if known is None and new_detector is None:
        raise detectors.unknown_detector(connection, record.serial)
    if known is not None and new_detector is not None:
        detectors.check_same(known[1], new_detector)
    detector = known[1] if known is not None else new_detector
    if detector is None or detector.layout_id != record.layout_id:
        raise LayoutError(
            "other-layout",
            f"the calibration was derived with another layout than detector {record.serial} has.",
            remedy="derive it with the layout that the store has for this detector.",
        )
    chain = STORE_CHAIN if known is None else record.serial
    with recording(connection, stamp, "calibration", chain) as (position, _):
        if known is None:
            detectors.insert_detector(connection, position, detector)
        detector_key = known[0] if known is not None else position
        calibrations.insert_calibration(
            connection, position, detector_key, record, starts, summaries, provenance
        )
    # Read back before the commit, so that nothing is stored that cannot be verified.
    return calibrations.read_calibration(connection, position), True


def _check(
    record: CalibrationRecord,
    starts: Sequence[datetime | None],
    new_detector: DetectorRecord | None,
) -> None:
    if len(starts) != len(record.report.datasets):
        raise InputError(
            "bad-shape",
            f"{len(starts)} start times for {len(record.report.datasets)} datasets in the report.",
        )
    if len(record.panel_names) != len(record.estimate.status):
        raise InputError(
            "bad-shape",
            f"{len(record.panel_names)} panel names for {len(record.estimate.status)} panels.",
        )
    if new_detector is not None and new_detector.serial != record.serial:
        raise InputError(
            "serial-contradicts",
            f"a calibration of {record.serial} cannot register detector {new_detector.serial}.",
        )


def _check_summaries(record: CalibrationRecord, summaries: Sequence[SummaryFile | None]) -> None:
    named = [use.summary for use in record.report.datasets if use.summary]
    given = [file.id for file in summaries if file is not None]
    if named != given:
        raise InputError(
            "other-summaries",
            f"the {len(given)} summaries given are not the {len(named)} that the report names.",
        )
