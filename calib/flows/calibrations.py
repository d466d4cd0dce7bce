"""list and show: calibrations in the store, now or at an earlier position of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.errors import InputError, NotFoundError
from calib.flows.shared.times import read_moment
from calib.model.store.amendment import Relabelling
from calib.model.store.bundle import OriginEntry
from calib.model.store.log import Moment
from calib.model.store.protocol import StoreLike
from calib.model.store.provenance import Provenance
from calib.model.store.record import CalibrationLine, Certification, StoredCalibration


@dataclass(frozen=True, slots=True)
class Listed:
    """Calibrations by serial and version."""

    known_at: Moment
    lines: tuple[CalibrationLine, ...]
    more: bool
    """Whether there are others, stored earlier."""


def listed(
    store: StoreLike, serial: str | None, as_known_at: str | None, limit: int | None, now: datetime
) -> Listed:
    """The calibrations of a detector or of all; with a limit, those stored last.

    A time without offset is read in the detector's zone, or in UTC for all detectors.
    """
    if limit is not None and limit < 1:
        raise InputError(
            "bad-limit", f"the limit is {limit}, but must be at least 1.", remedy="use --limit 100."
        )
    zone = "UTC" if serial is None else store.detectors.get(serial).zones
    known = store.log.moment(None if as_known_at is None else read_moment(as_known_at, zone, now))
    lines = store.calibrations.list(serial, known.position, None if limit is None else limit + 1)
    if limit is None or len(lines) <= limit:
        return Listed(known, tuple(lines), more=False)
    first = min(lines, key=lambda line: line.stored.at)
    return Listed(known, tuple(line for line in lines if line is not first), more=True)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A calibration with all that was recorded about it up to a moment."""

    known_at: Moment
    calibration: StoredCalibration
    """In the state of that moment."""
    certifications: tuple[Certification, ...]
    """Newest first, withdrawn ones as well."""
    n_applications: int
    provenance: Provenance | None
    origins: tuple[OriginEntry, ...]
    relabelled: Relabelling | None
    """Where it was recorded again under another serial."""
    replaces: StoredCalibration | None
    """The calibration with a wrong serial that it replaces."""


def show(
    store: StoreLike, reference: str, *, serial: str | None, as_known_at: str | None, now: datetime
) -> Shown:
    """A calibration with its records; a time without offset is read in the detector's zone.

    Raises ``NotFoundError`` (``unknown-calibration``) where it was stored later than the moment.
    """
    known = store.log.moment()
    found = store.calibrations.get(reference, serial, known.position)
    if as_known_at is not None:
        zone = store.detectors.get(found.record.serial).zones
        known = store.log.moment(read_moment(as_known_at, zone, now))
        # By position: after a correction of the clock times do not rise with it.
        stored = store.log.entries_at([found.stored.at])
        if not stored or stored[0].position > known.position:
            raise NotFoundError(
                "unknown-calibration",
                f"{found.name} was not stored yet at position {known.position}.",
                remedy="use a later --as-known-at; calib history shows when it was stored.",
            )
        found = store.calibrations.get(found.id, known_at=known.position)
    provenance = store.calibrations.provenance(found.id)
    words = store.certifications.list(found.record.serial, known.position)
    return Shown(
        known_at=known,
        calibration=found,
        certifications=tuple(one for one in words if one.calibration_id == found.id),
        n_applications=len(
            store.applications.list(calibration_id=found.id, known_at=known.position)
        ),
        provenance=provenance,
        origins=tuple(store.bundles.origins(calibration_id=found.id, known_at=known.position)),
        relabelled=_relabelling(store, found, found.id, known.position),
        replaces=_replaced(store, found, provenance),
    )


def _relabelling(
    store: StoreLike, found: StoredCalibration, calibration_id: str, known_at: int
) -> Relabelling | None:
    mine = store.calibrations.relabellings(found.record.serial, known_at)
    return next((one for one in mine if one.calibration_id == calibration_id), None)


def _replaced(
    store: StoreLike, found: StoredCalibration, provenance: Provenance | None
) -> StoredCalibration | None:
    """The parent of a calibration, if it is the same with a wrong serial."""
    if provenance is None or provenance.parent is None:
        return None
    try:
        parent = store.calibrations.get(provenance.parent)
    except NotFoundError:
        return None
    return parent if parent.record.serial != found.record.serial else None
