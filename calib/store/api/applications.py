"""The store's door: applications."""

from __future__ import annotations

from calib.model.store.record import Application, ChangeStamp
from calib.store.api.entity import Door
from calib.store.records.applications import add_application, read_applications
from calib.store.records.certifications import LATEST


class ApplicationDoor(Door):
    """Which file got which calibration."""

    def record_application(
        self, application: Application, stamp: ChangeStamp | None = None
    ) -> bool:
        """Record a receipt, once; False where it is recorded. ``stamp`` is the recording's own
        where that happens later than the application."""
        with self._database.writing() as connection:
            return add_application(connection, application, stamp or application.applied)

    def applications(
        self,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> list[Application]:
        """What was applied, in the order of the record, as known at a position of the log."""
        with self._database.reading() as connection:
            return read_applications(connection, serial, calibration_id, known_at)
