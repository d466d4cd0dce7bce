"""The store's door: calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from calib.errors import InputError, LayoutError
from calib.model.correction import Correction
from calib.model.log import STORE_CHAIN
from calib.model.provenance import Provenance
from calib.model.record import (
    CalibrationLine,
    CalibrationRecord,
    Deed,
    DetectorRecord,
    StoredCalibration,
)
from calib.model.summary import SummaryFile
from calib.store import calibrations, detectors
from calib.store.doors.door import Door
from calib.store.log import recording
from calib.store.provenances import read_provenance
from calib.store.references import find_position, position_of
from calib.store.tables import DETECTOR


class CalibrationDoor(Door):
    """What was derived."""

    def add_calibration(
        self,
        record: CalibrationRecord,
        starts: Sequence[datetime | None],
        deed: Deed,
        new_detector: DetectorRecord | None = None,
        summaries: Sequence[SummaryFile | None] = (),
        provenance: Provenance | None = None,
    ) -> tuple[StoredCalibration, bool]:
        """Record a derivation with all that it rests on, whole or not at all.

        ``starts`` says when each dataset of the report was taken, None where unknown;
        ``new_detector`` is registered where the store does not know it; ``summaries`` are those of
        the report's datasets, as far as it names them; ``provenance`` says on which machine and
        from which files it was derived. What was recorded before
        is returned as it is, with False. Raises ``NotFoundError`` for an unknown detector and
        ``LayoutError`` where the calibration belongs to another layout.
        """
        _check(record, starts, new_detector)
        _check_summaries(record, summaries)
        with self._database.writing() as connection:
            there = position_of(connection, record.id)
            if there is not None:
                return calibrations.read_calibration(connection, there), False
            known = detectors.find_detector(connection, record.serial)
            if known is None and new_detector is None:
                raise detectors.unknown_detector(connection, record.serial)
            if known is not None and new_detector is not None:
                detectors.check_same(known[1], new_detector)
            detector = known[1] if known is not None else new_detector
            if detector is None or detector.layout_id != record.layout_id:
                raise LayoutError(
                    "other-layout",
                    f"the calibration is of another layout than the registered detector "
                    f"{record.serial}.",
                    remedy="derive it with the layout that the store gives for this serial.",
                )
            chain = STORE_CHAIN if known is None else record.serial
            rows = (DETECTOR, *calibrations.TABLES) if known is None else calibrations.TABLES
            with recording(connection, deed, "calibration", chain, rows) as (position, _):
                if known is None:
                    detectors.insert_detector(connection, position, detector)
                born = known[0] if known is not None else position
                calibrations.insert_calibration(
                    connection, position, born, record, starts, summaries, provenance
                )
            # Read back before the commit: what cannot be verified is never stored.
            return calibrations.read_calibration(connection, position), True

    def provenance(self, calibration_id: str) -> Provenance | None:
        """On which machine and from which files a calibration was first derived; None where that
        was not kept."""
        with self._database.reading() as connection:
            position = position_of(connection, calibration_id)
            return None if position is None else read_provenance(connection, position)

    def calibration(self, reference: str, serial: str | None = None) -> StoredCalibration:
        """The calibration called ``SERIAL:VERSION``, by 8 or more characters of its id, or by its
        version where ``serial`` is given or the store holds one detector."""
        with self._database.reading() as connection:
            position = find_position(connection, reference, serial)
            return calibrations.read_calibration(connection, position)

    def calibrations(self, serial: str | None = None) -> list[CalibrationLine]:
        """The calibrations of a detector, or of all, by serial and version."""
        with self._database.reading() as connection:
            detector = None
            if serial is not None:
                detector = detectors.detector_position(connection, serial)
            return calibrations.read_lines(connection, detector)

    def known_corrections(self, serial: str) -> list[tuple[str, Correction]]:
        """Every correction of a detector with its calibration's name, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return calibrations.read_corrections(connection, detector)


def _check(
    record: CalibrationRecord,
    starts: Sequence[datetime | None],
    new_detector: DetectorRecord | None,
) -> None:
    if len(starts) != len(record.report.datasets):
        raise InputError(
            "bad-shape",
            f"{len(starts)} times for the {len(record.report.datasets)} datasets of the report.",
        )
    if len(record.panel_names) != len(record.estimate.status):
        raise InputError(
            "bad-shape",
            f"{len(record.panel_names)} names for {len(record.estimate.status)} panels.",
        )
    if new_detector is not None and new_detector.serial != record.serial:
        raise InputError(
            "serial-contradicts",
            f"a calibration of {record.serial} cannot register {new_detector.serial}.",
        )


def _check_summaries(record: CalibrationRecord, summaries: Sequence[SummaryFile | None]) -> None:
    named = [use.summary for use in record.report.datasets if use.summary]
    given = [file.id for file in summaries if file is not None]
    if named != given:
        raise InputError(
            "other-summaries",
            f"the report rests on {len(named)} summaries, and {len(given)} are given, or others.",
        )
