"""detector add and detector place: register a detector, and record where it is mounted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.errors import InputError
from calib.files.reader import read_experiments
from calib.flows.shared.identity import (
    checked_serial,
    chosen_detectors,
    new_detector,
    refuse_other_zone,
    serial_of,
)
from calib.flows.shared.images import ImagePlaces, images_in
from calib.flows.shared.modules import known_in, registered_modules
from calib.flows.shared.times import read_instant, zone_named
from calib.model.base.text import checked_name, checked_words
from calib.model.store.placement import BeamlinePlacement, placement_at
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp, DetectorRecord


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """A detector as registered in the store."""

    record: DetectorRecord
    new: bool
    """False where it was registered before."""
    notices: tuple[str, ...] = ()
    """About images that cannot be read."""
    split: str = ""
    """The layout into which a single panel was split; empty where there were several."""


def register(
    store: StoreLike,
    serial: str,
    *,
    experiments: Path | None,
    layout: str | None,
    time_zone: str | None,
    description: str,
    stamp: ChangeStamp,
    places: ImagePlaces | None = None,
    force_serial: bool = False,
    halves: bool = False,
    dry_run: bool = False,
) -> Registered:
    """Register a detector with the layout of an experiment list, or of a known detector family.

    Raises ``InputError`` where neither or both are given, or the serial is registered with another
    time zone, and ``LayoutError`` where it is registered with another layout.
    """
    if (experiments is None) == (layout is None):
        raise InputError(
            "one-layout",
            "give exactly one source of the layout.",
            remedy='use either --from FILE.expt or --layout "PILATUS 6M".',
        )
    checked_serial(serial)
    split, notices = "", tuple[str, ...]()
    checked_words(description, "the description")
    zone = time_zone or "UTC"
    zone_named(zone)
    if layout is not None:
        known = known_in(store).get(layout)
        known = known.in_halves() if halves else known
        record = DetectorRecord(serial, known.layout(), zone, description or known.name)
    else:
        assert experiments is not None  # noqa: S101 - one of both, checked above
        file = read_experiments(experiments)
        index = chosen_detectors(file.experiments, serial, place=str(experiments))[0]
        detector = file.experiments.detectors[index]
        images = images_in(file, experiments, places or ImagePlaces())
        notices = images.notices
        image = images.found.get(index)
        if len(detector.panels) == 1:
            header = images.header(index)
            one = registered_modules(
                detector, index, store, serial, header, halves=halves, place=str(experiments)
            )
            detector = file.split({index: one.known.modules}).experiments.detectors[index]
            split = one.known.name
        elif halves:
            raise InputError(
                "already-split",
                "the detector has several panels already.",
                place=str(experiments),
                remedy="leave out --halves, or give experiments of one panel.",
            )
        serial_of(
            detector,
            serial,
            force=force_serial,
            place=str(experiments),
            image=image,
            remedy="register the detector that the file names, or add --force-serial.",
        )
        found = new_detector(serial, detector, time_zone=zone, place=str(experiments))
        stated = description or found.description or (image.header.model if image else "")
        record = DetectorRecord(found.serial, found.layout, zone, stated)
    new = store.detectors.preview_add(record) if dry_run else store.detectors.add(record, stamp)
    stored = record if new else store.detectors.get(serial)
    refuse_other_zone(stored, time_zone)
    return Registered(stored, new, notices, split)


@dataclass(frozen=True, slots=True)
class PlacementResult:
    """The placement of a detector, and the one before."""

    placement: BeamlinePlacement
    before: BeamlinePlacement | None
    """None where the store has no earlier placement."""


def place(
    store: StoreLike,
    serial: str,
    *,
    beamline: str,
    start: str,
    reason: str,
    stamp: ChangeStamp,
    dry_run: bool = False,
) -> PlacementResult:
    """Record that a detector is mounted at a beamline from ``start`` on, until the next placement.

    ``start`` without offset is read in the detector's time zone. Certifications do not change: they
    belong to the detector, wherever it is mounted.
    """
    zone = store.detectors.get(serial).zones
    placement = BeamlinePlacement(
        number=0,
        serial=serial,
        beamline=_beamline(beamline.strip()),
        start=read_instant(start, zone, stamp.at),
        reason=checked_words(reason.strip(), "the reason"),
        recorded=stamp.signature,
    )
    before = placement_at(store.placements.list(serial), placement.start)
    if not dry_run:
        placement = store.placements.place(placement, stamp)
    return PlacementResult(placement, before)


def _beamline(name: str) -> str:
    # An empty name is refused by the placement itself, with a remedy of its own.
    return checked_name(name, "the beamline's name") if name else name
