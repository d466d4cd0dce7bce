"""The identity of a detector: its serial number, and the layout of a new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from calib.config.settings import read_settings
from calib.errors import InputError, LayoutError, NotFoundError
from calib.files.reader import serial_from
from calib.flows.shared.images import FoundImage
from calib.flows.shared.times import instant_of_epoch
from calib.model.base.text import checked_serial as checked_serial
from calib.model.base.text import joined
from calib.model.detector.families import family_of, known_layout, off_grid_mm
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.pose import layout_of
from calib.model.store.placement import placement_at
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord

_ON_GRID_MM = 1e-3


def serial_of(
    detector: Detector | None,
    given: str | None,
    *,
    force: bool,
    place: str,
    image: FoundImage | None = None,
    default: Callable[[], str | None] | None = None,
    remedy: str = "",
) -> str:
    """The serial number of a detector: as ``given`` by the user, from its file, from an image, or
    else the ``default``.

    Raises ``InputError`` where there is none, or two of the first three differ and ``force`` is
    not set; ``remedy`` is that of a wrong one, where it is not given with ``--serial``.
    """
    own = None if detector is None else serial_from(detector.identifier)
    seen = None if image is None else image.header.serial
    if image is not None and own and seen and own.casefold() != seen.casefold() and not force:
        raise InputError(
            "image-contradicts",
            f"the file names the detector {own}, but its image {image.path} names {seen}.",
            place=place,
            remedy="use --serial with --force-serial, or --no-images if the image is another one.",
        )
    stated = own or seen
    if given is not None and stated is not None and given != stated and not force:
        source = "the file" if own else f"the image {'' if image is None else image.path}"
        raise InputError(
            "serial-contradicts",
            f"{source} names the detector {stated}, not {given}.",
            place=place,
            remedy=remedy or f"leave out --serial, or add --force-serial if {stated} is wrong.",
        )
    found = given or stated or (default() if default is not None else None)
    if found is None:
        raise InputError(
            "no-serial",
            "neither the file nor an image that it names states the detector's serial number.",
            place=place,
            remedy="use --serial, such as --serial 24-0107.",
        )
    return checked_serial(found)


def serial_of_reference(calibration: str | None) -> str | None:
    """The serial number in the name of a calibration, such as ``24-0107:3``."""
    serial, colon, _ = (calibration or "").rpartition(":")
    return serial if colon else None


def default_serial(store: StoreLike, epoch: float | None, now: datetime) -> str | None:
    """The setting ``serial``, or the detector that is placed at the beamline of the settings.

    ``epoch`` is the local time of the data, if known, else the placement of ``now`` counts. Raises
    ``InputError`` where several detectors are placed there.
    """
    settings = read_settings()
    if settings.serial is not None or settings.beamline is None:
        return settings.serial
    wanted, found = settings.beamline.casefold(), []
    for record in store.detectors.list():
        at = instant_of_epoch(epoch, record.zones) or now
        placement = placement_at(store.placements.list(record.serial), at)
        if placement is not None and placement.beamline.casefold() == wanted:
            found.append(record.serial)
    if len(found) > 1:
        raise InputError(
            "ambiguous-beamline",
            f"several detectors are placed at {settings.beamline} at the time of the data: "
            f"{joined(found)}.",
            remedy=f"use --serial, such as --serial {found[0]}.",
        )
    return found[0] if found else None


def chosen_detectors(
    models: ExperimentList, serial: str | None, *, place: str, force: bool = False
) -> tuple[int, ...]:
    """The indices of the detectors of a file that a command works on: those that name ``serial``
    where any does, else all in use.

    Raises ``InputError`` (``no-detector``) for a file without a detector.
    """
    used = models.detectors_in_use
    if not used:
        raise InputError(
            "no-detector",
            "this list holds no detector.",
            place=place,
            remedy="import the images again with dials.import, and give the .expt file that it "
            "writes.",
        )
    if serial is None or force:
        return used
    named = [k for k in used if serial_from(models.detectors[k].identifier) == serial]
    return tuple(named) or used


def known_detector(store: StoreLike, serial: str) -> DetectorRecord | None:
    """The detector's record in the store, or None."""
    try:
        return store.detectors.get(serial)
    except NotFoundError:
        return None


def new_detector(serial: str, detector: Detector, *, time_zone: str, place: str) -> DetectorRecord:
    """The record of a new detector, whose panels are taken to be at their nominal positions.

    They are those of the known detector, or else of the file without the rounding of its
    arithmetic, so that ids of calibrations do not depend on what registered the detector. Raises
    ``LayoutError`` for panels of a known detector family that are not on its grid: they already
    have a correction.
    """
    layout = layout_of(detector)[0].rounded()
    family = family_of(layout)
    if family is not None:
        drawn = known_layout(family)
        off = off_grid_mm(layout, drawn)
        if off > _ON_GRID_MM:
            raise LayoutError(
                "already-corrected",
                f"the panels are up to {1e3 * off:.0f} um off the grid of a {family}: they "
                "already have a correction, and the detector is not known to the store.",
                place=place,
                remedy="derive from data imported without a reference geometry, or register the "
                f'detector first with calib detector add {serial} --layout "{family}".',
            )
        layout = replace(drawn, groups=layout.groups)
    return DetectorRecord(serial, layout, time_zone, detector.identifier)


def refuse_other_zone(record: DetectorRecord, time_zone: str | None) -> None:
    """Raise ``InputError`` (``other-time-zone``) for another zone than that of the detector."""
    if time_zone is None or record.time_zone == time_zone:
        return
    raise InputError(
        "other-time-zone",
        f"times of detector {record.serial} are read in {record.time_zone}, not {time_zone}.",
        remedy=f"calib detector edit {record.serial} --time-zone {time_zone} --reason TEXT.",
    )
