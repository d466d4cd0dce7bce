"""The store's door: calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from calib.model.detector.correction import Correction
from calib.model.result.summary import SummaryFile
from calib.model.store.provenance import Provenance
from calib.model.store.record import (
    CalibrationLine,
    CalibrationRecord,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.store.api.entity import Door
from calib.store.records import calibrations, detectors
from calib.store.records.artifacts import read_provenance
from calib.store.records.certifications import LATEST
from calib.store.records.derivations import add_derivation
from calib.store.records.references import find_position, position_of


class CalibrationDoor(Door):
    """What was derived."""

    def add_calibration(
        self,
        record: CalibrationRecord,
        starts: Sequence[datetime | None],
        stamp: ChangeStamp,
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
        with self._database.writing() as connection:
            return add_derivation(
                connection, record, starts, stamp, new_detector, summaries, provenance
            )

    def provenance(self, calibration_id: str) -> Provenance | None:
        """On which machine and from which files a calibration was first derived; None where that
        was not kept."""
        with self._database.reading() as connection:
            position = position_of(connection, calibration_id)
            return None if position is None else read_provenance(connection, position)

    def calibration(
        self, reference: str, serial: str | None = None, known_at: int = LATEST
    ) -> StoredCalibration:
        """The calibration called ``SERIAL:VERSION``, by 8 or more characters of its id, or by its
        version where ``serial`` is given or the store holds one detector; in the state that it had
        at a position of the log."""
        with self._database.reading() as connection:
            position = find_position(connection, reference, serial)
            return calibrations.read_calibration(connection, position, known_at)

    def calibrations(
        self, serial: str | None = None, known_at: int = LATEST, limit: int | None = None
    ) -> list[CalibrationLine]:
        """The calibrations of a detector, or of all, by serial and version, in the states that they
        had at a position of the log; with a limit those that were stored last."""
        with self._database.reading() as connection:
            detector = None
            if serial is not None:
                detector = detectors.detector_position(connection, serial)
            return calibrations.read_lines(connection, detector, known_at, limit)

    def known_corrections(self, serial: str) -> list[tuple[str, Correction]]:
        """Every correction of a detector with its calibration's name, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return calibrations.read_corrections(connection, detector)
