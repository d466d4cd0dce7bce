"""The beamline where a detector is mounted, by date; calibrations stay with the detector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from calib.errors import InputError
from calib.model.store.record import ChangeStamp
from calib.model.store.validity import utc


@dataclass(frozen=True, slots=True)
class BeamlinePlacement:
    """A detector is mounted at a beamline from an instant on, until its next placement."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    serial: str
    beamline: str
    start: datetime
    """UTC, included."""
    reason: str
    """Empty if none was given."""
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "beamline", self.beamline.strip())
        if not self.beamline:
            raise InputError(
                "no-beamline",
                "a placement needs the name of a beamline.",
                remedy="--beamline I04, or another word such as store-room.",
            )


def placement_at(placements: Iterable[BeamlinePlacement], at: datetime) -> BeamlinePlacement | None:
    """The placement of the detector at an instant: the one with the latest start up to then, of
    equal starts the one recorded last; None before the first."""
    begun = [one for one in placements if one.start <= at]
    return max(begun, key=lambda one: (one.start, one.number), default=None)
