"""The log: one entry for every change of the store, in chains of hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from calib.errors import InputError
from calib.model.base.text import checked_words
from calib.model.store.log import (
    LATEST,
    Audit,
    ChainHead,
    ClockCorrection,
    Entry,
    LogHead,
    Moment,
)
from calib.model.store.record import ChangeStamp
from calib.model.store.signing import RecordedCheckpoint
from calib.model.store.validity import utc
from calib.store.api.entity import EntityApi, read, write
from calib.store.database.clock import CONFIRM
from calib.store.log.log import (
    correct_clock,
    read_entries,
    read_entries_at,
    read_heads,
    read_moment,
    wrong_times,
)
from calib.store.maintenance.audit import audit_store
from calib.store.records import checkpoints, detectors
from calib.store.schema import revision


class LogApi(EntityApi):
    """Read and verify the log, and keep checkpoints of other logs."""

    @read
    def entries(self, serial: str | None = None, last: int | None = None) -> Sequence[Entry]:
        """The entries of a detector since its registration, or of all, in order; only the ``last``
        ones where a number is given."""
        with self._database.reading() as connection:
            if serial is not None:
                detectors.detector_position(connection, serial)
            return read_entries(connection, serial, last)

    @read
    def entries_at(self, times: Sequence[datetime]) -> Sequence[Entry]:
        """The entries that were recorded at these times, in order."""
        with self._database.reading() as connection:
            return read_entries_at(connection, times)

    @read
    def moment(self, when: datetime | int | None = None) -> Moment:
        """The last entry up to a time or a position; the last of all for None."""
        with self._database.reading() as connection:
            return read_moment(connection, when)

    @read
    def heads(self, chains: Sequence[str] | None = None) -> tuple[ChainHead, ...]:
        """The head of every chain, or of these, the store's own first."""
        with self._database.reading() as connection:
            return read_heads(connection, chains)

    @read
    def head(self, position: int = LATEST) -> LogHead:
        """The hash of the whole log, or of the log up to a position."""
        with self._database.reading() as connection:
            return LogHead.of(read_heads(connection, None, position))

    @read
    def audit(self, checkpoint: Sequence[ChainHead] = ()) -> Audit:
        """Compare every row, artifact and entry with the log, and the log with the chain heads of a
        signed checkpoint. Differences are returned, not raised."""
        with self._database.reading() as connection:
            # The log of a newer store may have columns that this program does not know.
            revision.check_revision(revision.revision_of(connection), self._database.location)
            return audit_store(connection, checkpoint)

    @write
    def add_checkpoint(
        self, checkpoint: RecordedCheckpoint, stamp: ChangeStamp
    ) -> RecordedCheckpoint:
        """Record a signed checkpoint of another store; returns it as recorded."""
        with self._database.writing() as connection:
            return checkpoints.add_checkpoint(connection, checkpoint, stamp)

    @read
    def checkpoints(self) -> Sequence[RecordedCheckpoint]:
        """The checkpoints of other stores, in the order of recording."""
        with self._database.reading() as connection:
            return checkpoints.read_checkpoints(connection)

    @read
    def preview_clock(self, stamp: ChangeStamp) -> ClockCorrection:
        """What ``correct_clock`` would state, with its errors; nothing is written."""
        with self._database.reading() as connection:
            found = wrong_times(connection, utc(stamp.at))
            self._check_correction(stamp)
            return found

    @write
    def correct_clock(self, stamp: ChangeStamp) -> ClockCorrection:
        """Record that the last entries have wrong times, those later than the stamp, and go on at
        its time. Nothing recorded is changed.

        Raises ``InputError`` where there are none (``clock-right``), without a reason
        (``no-reason``), and unless the store was opened with ``clock_checked``
        (``clock-unchecked``).
        """
        with self._database.writing() as connection:
            self._check_correction(stamp)
            return correct_clock(connection, stamp)

    def _check_correction(self, stamp: ChangeStamp) -> None:
        if not stamp.reason.strip():
            raise InputError(
                "no-reason",
                "a correction of the clock needs a reason.",
                remedy="use --reason TEXT.",
            )
        checked_words(stamp.reason, "the reason")
        if not self._database.clock.checked:
            raise InputError(
                "clock-unchecked",
                f"the clock of this machine says {utc(stamp.at):%Y-%m-%d %H:%M:%S} UTC; entries of "
                "the log that are later would be recorded as wrong.",
                remedy=CONFIRM,
            )
