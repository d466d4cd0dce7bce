"""The store's door: certifications, and what they answer."""

from __future__ import annotations

from datetime import datetime

from calib.model.record import Certification, Deed, StoredCalibration
from calib.store import calibrations, certifications, detectors
from calib.store.doors.door import Door
from calib.store.references import position_of
from calib.store.resolver import find_certification


class CertificationDoor(Door):
    """By whose word a calibration holds when, and for which distances."""

    def certify(self, certification: Certification) -> Certification:
        """Record somebody's word; as recorded. A draft needs an override (``not-accepted``)."""
        with self._database.writing() as connection:
            return certifications.add_certification(connection, certification)

    def withdraw(self, which: str | int, reason: str, deed: Deed) -> list[Certification]:
        """Take back one certification (its number) or all of a calibration's (its whole id).

        Returns what was taken back; ``NotFoundError`` (``not-certified``) where nothing is live.
        """
        with self._database.writing() as connection:
            return certifications.add_withdrawals(connection, which, reason, deed)

    def certifications(self, serial: str) -> list[Certification]:
        """A detector's certifications, withdrawn ones as well, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return certifications.read_certifications(
                connection, certifications.of_detector(detector)
            )

    def resolve(
        self, serial: str, at: datetime, distance_mm: float
    ) -> tuple[StoredCalibration, Certification]:
        """What is certified for an instant and a distance; ``NotFoundError`` names the nearest
        certified interval and the command that would extend it."""
        with self._database.reading() as connection:
            found = find_certification(connection, serial, at, distance_mm)
            position = position_of(connection, found.calibration_id)
            assert position is not None  # noqa: S101
            return calibrations.read_calibration(connection, position), found
