"""Summaries: the normal equations of datasets, from which calibrations can be solved again."""

from __future__ import annotations

from calib.errors import NotFoundError
from calib.model.result.summary import SummaryFile
from calib.model.store.record import StoredCalibration
from calib.store.api.entity import EntityApi, read
from calib.store.records.references import position_of
from calib.store.records.summaries import read_summaries


class SummaryApi(EntityApi):
    """Read summaries."""

    @read
    def read(self, stored: StoredCalibration) -> tuple[SummaryFile | None, ...]:
        """The summaries that a calibration was solved from, in the order of its report's datasets;
        None for datasets without one. Raises ``IntegrityError`` for a summary that differs from
        what was stored."""
        with self._database.reading() as connection:
            position = position_of(connection, stored.id)
            if position is None:
                raise NotFoundError("unknown-calibration", f"{stored.name} is not in this store.")
            names = [use.summary for use in stored.record.report.datasets]
            return read_summaries(connection, position, names)
