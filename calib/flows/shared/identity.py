"""The identity of a detector: its serial number, and the layout of a new one."""

from __future__ import annotations

from dataclasses import replace

from calib.errors import InputError, LayoutError, NotFoundError
from calib.files.reader import serial_from
from calib.model.base.text import checked_serial as checked_serial
from calib.model.detector.families import family_of, known_layout, off_grid_mm
from calib.model.experiment.experiment import Detector
from calib.model.experiment.pose import layout_of
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord

_ON_GRID_MM = 1e-3


def serial_of(detector: Detector, given: str | None, *, force: bool, place: str) -> str:
    """The serial number of a detector, from its file or as ``given`` by the user.

    Raises ``InputError`` where there is neither, or they differ and ``force`` is not set.
    """
    own = serial_from(detector.identifier)
    if given is None and own is None:
        raise InputError(
            "no-serial",
            "the file does not name the detector's serial number.",
            place=place,
            remedy="use --serial, such as --serial 24-0107.",
        )
    if given is not None and own is not None and given != own and not force:
        raise InputError(
            "serial-contradicts",
            f"the file names the detector {own}, not {given}.",
            place=place,
            remedy=f"leave out --serial, or add --force-serial if {own} is wrong.",
        )
    return checked_serial(given or own or "")


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
