"""detector place: where a detector stands, since when."""

from __future__ import annotations

from dataclasses import dataclass

from calib.flows.shared.times import read_instant
from calib.model.base.text import checked_words
from calib.model.store.placement import BeamlinePlacement, placement_at
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of placing a detector."""

    placement: BeamlinePlacement
    before: BeamlinePlacement | None
    """Where it had stood until then, as far as the store knows."""


def place(
    store: StoreLike,
    serial: str,
    *,
    beamline: str,
    start: str,
    reason: str,
    stamp: ChangeStamp,
    dry_run: bool = False,
) -> Placed:
    """Record that a detector stands at a beamline from ``start`` on, until it is placed elsewhere.

    ``start`` without offset is read in the detector's time zone. What holds for the detector does
    not change: its calibrations travel with it.
    """
    zone = store.detectors.get(serial).time_zone
    placement = BeamlinePlacement(
        number=0,
        serial=serial,
        beamline=checked_words(beamline, "the beamline's name"),
        start=read_instant(start, zone, stamp.at),
        reason=checked_words(reason.strip(), "the reason"),
        recorded=stamp.signature,
    )
    before = placement_at(store.placements.list(serial), placement.start)
    if not dry_run:
        placement = store.placements.place(placement, stamp)
    return Placed(placement, before)
