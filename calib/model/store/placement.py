"""Where a detector stands: a dated fact of its own. Calibrations travel with the detector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from calib.errors import InputError
from calib.model.store.record import ChangeStamp
from calib.model.store.validity import utc


@dataclass(frozen=True, slots=True)
class BeamlinePlacement:
    """From some instant on a detector stands at a beamline, until it is placed elsewhere."""

    number: int
    """Its place in the store's record; 0 before it is recorded."""
    serial: str
    beamline: str
    start: datetime
    """UTC, included."""
    reason: str
    """Empty where nobody gave one."""
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


def standing_at(placements: Iterable[BeamlinePlacement], at: datetime) -> BeamlinePlacement | None:
    """The placement that says where the detector stood at an instant: the one with the latest
    start up to then, of equal starts the one recorded last; None before the first."""
    begun = [one for one in placements if one.start <= at]
    return max(begun, key=lambda one: (one.start, one.number), default=None)
