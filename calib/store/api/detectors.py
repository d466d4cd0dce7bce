"""The store's door: detectors."""

from __future__ import annotations

from calib.model.store.log import STORE_CHAIN
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.api.entity import Door
from calib.store.log.log import recording
from calib.store.records import detectors
from calib.store.schema.tables import DETECTOR


class DetectorDoor(Door):
    """Physical detectors."""

    def add_detector(self, record: DetectorRecord, stamp: ChangeStamp) -> bool:
        """Register a detector; False where it is registered with this layout already.

        Raises ``LayoutError`` where it is registered with another one.
        """
        with self._database.writing() as connection:
            known = detectors.find_detector(connection, record.serial)
            if known is not None:
                detectors.check_same(known[1], record)
                return False
            with recording(connection, stamp, "detector", STORE_CHAIN, (DETECTOR,)) as (
                position,
                _,
            ):
                detectors.insert_detector(connection, position, record)
            return True

    def would_add_detector(self, record: DetectorRecord) -> bool:
        """What ``add_detector`` would answer, with its errors; nothing is written."""
        with self._database.reading() as connection:
            known = detectors.find_detector(connection, record.serial)
            if known is not None:
                detectors.check_same(known[1], record)
            return known is None

    def detector(self, serial: str) -> DetectorRecord:
        """The detector; ``NotFoundError`` lists those that the store knows."""
        with self._database.reading() as connection:
            return detectors.read_detector(connection, serial)[1]

    def detectors(self) -> list[DetectorRecord]:
        """All detectors, by serial."""
        with self._database.reading() as connection:
            return detectors.read_detectors(connection)
