"""The store's door: the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from calib.model.store.log import Audit, ChainHead, Entry, Moment
from calib.store.api.entity import Door
from calib.store.log.log import read_entries, read_entries_at, read_heads, read_moment
from calib.store.maintenance.audit import audited
from calib.store.records import detectors
from calib.store.schema import revision


class LogDoor(Door):
    """Every change that was recorded."""

    def log(self, serial: str | None = None, last: int | None = None) -> list[Entry]:
        """The entries of a detector from its birth on, or of all, in order; only the ``last`` ones
        where a number is given."""
        with self._database.reading() as connection:
            if serial is not None:
                detectors.detector_position(connection, serial)
            return read_entries(connection, serial, last)

    def moment(self, when: datetime | int | None = None) -> Moment:
        """The last entry up to an instant or a position; of all where None is given."""
        with self._database.reading() as connection:
            return read_moment(connection, when)

    def entries_at(self, times: Sequence[datetime]) -> list[Entry]:
        """The entries that were recorded at these instants, in order."""
        with self._database.reading() as connection:
            return read_entries_at(connection, times)

    def heads(self) -> tuple[ChainHead, ...]:
        """The end of every chain, the store's first."""
        with self._database.reading() as connection:
            return read_heads(connection)

    def audit(self, checkpoint: Sequence[ChainHead] = ()) -> Audit:
        """Compare every row, artifact and entry with the log, and the log with ends of its chains
        that were signed once. What is wrong is found, not raised."""
        with self._database.reading() as connection:
            # A newer store's log speaks of columns that this program does not know.
            revision.check_revision(revision.revision_of(connection), self._database.location)
            return audited(connection, checkpoint)
