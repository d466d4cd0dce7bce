"""list: the calibrations of a detector, or of all, as they stood at a moment."""

from __future__ import annotations

from datetime import datetime

from calib.flows.moments import read_moment
from calib.model.record import CalibrationLine
from calib.store.store import Store


def listed(
    store: Store, serial: str | None, as_known_at: str | None, now: datetime
) -> list[CalibrationLine]:
    """By serial and version. A time without offset is read in the detector's zone, or in UTC where
    all detectors are asked for."""
    if as_known_at is None:
        return store.calibrations(serial)
    zone = "UTC" if serial is None else store.detector(serial).time_zone
    return store.calibrations(serial, store.moment(read_moment(as_known_at, zone, now)).position)
