"""Detectors: physical instruments, by serial, with their nominal layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calib.model.store.amendment import DetectorEdit, Retirement, edited
from calib.model.store.log import LATEST, STORE_CHAIN
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.api.entity import EntityApi, read, write
from calib.store.log.log import recording
from calib.store.records import amendments, detectors


class DetectorApi(EntityApi):
    """Register, change, retire, find and list detectors."""

    @write
    def add(self, record: DetectorRecord, stamp: ChangeStamp) -> bool:
        """Register a detector; False where it is registered with this layout already.

        Raises ``LayoutError`` where it is registered with another one.
        """
        with self._database.writing() as connection:
            known = detectors.find_detector(connection, record.serial)
            if known is not None:
                detectors.check_same(known[1], record)
                return False
            with recording(connection, stamp, "detector", STORE_CHAIN) as (
                position,
                _,
            ):
                detectors.insert_detector(connection, position, record)
            return True

    @read
    def preview_add(self, record: DetectorRecord) -> bool:
        """What ``add`` would return, with its errors; nothing is written."""
        with self._database.reading() as connection:
            known = detectors.find_detector(connection, record.serial)
            if known is not None:
                detectors.check_same(known[1], record)
            return known is None

    @read
    def get(self, serial: str) -> DetectorRecord:
        """The detector with this serial, as registered and changed since; ``NotFoundError`` lists
        those in the store."""
        with self._database.reading() as connection:
            return amendments.with_edits(connection, *detectors.read_registered(connection, serial))

    @read
    def list(self) -> Sequence[DetectorRecord]:
        """All detectors, by serial."""
        with self._database.reading() as connection:
            return [
                amendments.with_edits(connection, *found)
                for found in detectors.read_all_registered(connection)
            ]

    @write
    def edit(self, edit: DetectorEdit, stamp: ChangeStamp) -> DetectorEdit:
        """Record a change of a detector's time zone, description or layout name; returns it as
        recorded."""
        with self._database.writing() as connection:
            return amendments.add_edit(connection, edit, stamp)

    @read
    def preview_edit(self, edit: DetectorEdit) -> DetectorRecord:
        """The detector as it would be after a change; nothing is written."""
        with self._database.reading() as connection:
            record, _ = detectors.read_registered(connection, edit.serial)
            known = amendments.read_edits(connection, edit.serial)
            return edited(record, [*known, replace(edit, number=LATEST)])

    @read
    def edits(self, serial: str, known_at: int = LATEST) -> Sequence[DetectorEdit]:
        """The changes of a detector, newest first, as of a position of the log."""
        with self._database.reading() as connection:
            return amendments.read_edits(connection, serial, known_at)

    @write
    def retire(self, retirement: Retirement, stamp: ChangeStamp) -> Retirement:
        """Record that a detector is retired, or in use again; returns it as recorded."""
        with self._database.writing() as connection:
            return amendments.add_retirement(connection, retirement, stamp)

    @read
    def retirements(self, serial: str, known_at: int = LATEST) -> Sequence[Retirement]:
        """The retirements of a detector, and its returns to use, newest first, as of a position of
        the log."""
        with self._database.reading() as connection:
            return amendments.read_retirements(connection, serial, known_at)
