"""Placements: at which beamline a detector is installed since when."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.log import LATEST
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import ChangeStamp
from calib.store.api.entity import EntityApi, read, write
from calib.store.records import placements


class PlacementApi(EntityApi):
    """Record and list placements; which calibration applies does not depend on them."""

    @write
    def place(self, placement: BeamlinePlacement, stamp: ChangeStamp) -> BeamlinePlacement:
        """Record a placement; returns it as recorded."""
        with self._database.writing() as connection:
            return placements.add_placement(connection, placement, stamp)

    @read
    def list(self, serial: str, known_at: int = LATEST) -> Sequence[BeamlinePlacement]:
        """A detector's placements, newest first, as of a position of the log."""
        with self._database.reading() as connection:
            return placements.read_placements(connection, serial, known_at)
