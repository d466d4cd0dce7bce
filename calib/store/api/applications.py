"""Applications: which file was corrected with which calibration."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.log import LATEST
from calib.model.store.record import Application, ChangeStamp
from calib.store.api.entity import EntityApi, read, write
from calib.store.records.applications import add_application, is_new, read_applications


class ApplicationApi(EntityApi):
    """Record and list applications."""

    @write
    def record(self, application: Application, stamp: ChangeStamp | None = None) -> bool:
        """Record an application once; False where it is recorded already.

        ``stamp`` is that of the recording, where this happens later than the application.
        """
        with self._database.writing() as connection:
            return add_application(connection, application, stamp or application.applied)

    @write
    def record_all(self, applications: Sequence[Application], stamp: ChangeStamp) -> int:
        """Record applications in one transaction; how many of them were not recorded before."""
        with self._database.writing() as connection:
            return sum(add_application(connection, one, stamp) for one in applications)

    @read
    def preview_record(self, application: Application) -> bool:
        """What ``record`` would return, with its errors; nothing is written."""
        with self._database.reading() as connection:
            return is_new(connection, application)

    @read
    def list(
        self,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> Sequence[Application]:
        """The applications in the order of recording, as of a position of the log."""
        with self._database.reading() as connection:
            return read_applications(connection, serial, calibration_id, known_at)
