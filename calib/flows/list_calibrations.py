"""list: the calibrations of a detector, or of all, as they stood at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.errors import InputError
from calib.flows.shared.times import read_moment
from calib.model.store.log import Moment
from calib.model.store.protocol import StoreLike
from calib.model.store.record import CalibrationLine


@dataclass(frozen=True, slots=True)
class Listed:
    """Calibrations by serial and version."""

    known_at: Moment
    lines: tuple[CalibrationLine, ...]
    more: bool
    """Whether there are others, which were stored before."""


def listed(
    store: StoreLike, serial: str | None, as_known_at: str | None, limit: int | None, now: datetime
) -> Listed:
    """The calibrations of a detector or of all, with a limit those that were stored last.

    A time without offset is read in the detector's zone, or in UTC where all detectors are asked
    for.
    """
    if limit is not None and limit < 1:
        raise InputError("bad-limit", f"{limit} calibrations are none.", remedy="--limit 100.")
    zone = "UTC" if serial is None else store.detectors.get(serial).time_zone
    known = store.log.moment(None if as_known_at is None else read_moment(as_known_at, zone, now))
    lines = store.calibrations.list(serial, known.position, None if limit is None else limit + 1)
    if limit is None or len(lines) <= limit:
        return Listed(known, tuple(lines), more=False)
    first = min(lines, key=lambda line: line.stored.at)
    return Listed(known, tuple(line for line in lines if line is not first), more=True)
