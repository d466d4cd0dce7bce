"""Detectors: physical instruments, by serial, with their nominal layout."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.log import STORE_CHAIN
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.api.entity import EntityApi, read, write
from calib.store.log.log import recording
from calib.store.records import detectors


class DetectorApi(EntityApi):
    """Register, find and list detectors."""

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
        """The detector with this serial; ``NotFoundError`` lists those in the store."""
        with self._database.reading() as connection:
            return detectors.read_detector(connection, serial)[1]

    @read
    def list(self) -> Sequence[DetectorRecord]:
        """All detectors, by serial."""
        with self._database.reading() as connection:
            return detectors.read_detectors(connection)
