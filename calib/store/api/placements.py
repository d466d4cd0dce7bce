"""The store's door: where detectors stand."""

from __future__ import annotations

from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import ChangeStamp
from calib.store.api.entity import Door
from calib.store.records import detectors, placements
from calib.store.records.certifications import LATEST


class PlacementDoor(Door):
    """Where a detector stands since when; what holds for it does not depend on it."""

    def place_detector(self, placement: BeamlinePlacement, stamp: ChangeStamp) -> BeamlinePlacement:
        """Record where a detector stands; as recorded."""
        with self._database.writing() as connection:
            return placements.add_placement(connection, placement, stamp)

    def placements(self, serial: str, known_at: int = LATEST) -> list[BeamlinePlacement]:
        """A detector's placements, newest first, as known at a position of the log."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return placements.read_placements(connection, detector, known_at)
