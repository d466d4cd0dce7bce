"""The store's door: applications."""

from __future__ import annotations

from calib.model.record import Application, Deed
from calib.store.applications import add_application, read_applications
from calib.store.certifications import LATEST
from calib.store.doors.door import Door


class ApplicationDoor(Door):
    """Which file got which calibration."""

    def record_application(self, application: Application, deed: Deed | None = None) -> bool:
        """Record a receipt, once; False where it is recorded. ``deed`` is the recording's own
        where that happens later than the application."""
        with self._database.writing() as connection:
            return add_application(connection, application, deed or application.applied)

    def applications(
        self,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> list[Application]:
        """What was applied, in the order of the record, as known at a position of the log."""
        with self._database.reading() as connection:
            return read_applications(connection, serial, calibration_id, known_at)
