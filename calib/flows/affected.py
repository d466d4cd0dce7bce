"""affected: which files must be processed again when a calibration is withdrawn or superseded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from calib.model.store.application import AffectedFile
from calib.model.store.log import Moment
from calib.model.store.protocol import StoreLike
from calib.model.store.record import Certification, StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Affected:
    """All files that a calibration was applied to."""

    known_at: Moment
    calibration: StoredCalibration
    files: tuple[AffectedFile, ...]


def affected(store: StoreLike, reference: str, *, serial: str | None) -> Affected:
    """Every recorded application of a calibration, with the certification that answers now for the
    file's time and distance, and the one that would if the calibration were withdrawn."""
    known = store.log.moment()
    found = store.calibrations.get(reference, serial, known.position)
    certifications = sorted(
        store.certifications.list(found.record.serial, known.position),
        key=lambda one: one.number,
        reverse=True,
    )
    valid = [one for one in certifications if one.withdrawn is None]
    others = [one for one in valid if one.calibration_id != found.id]
    return Affected(
        known,
        found,
        tuple(
            AffectedFile(
                application,
                _answer(valid, application.data_time, application.distance_mm),
                _answer(others, application.data_time, application.distance_mm),
            )
            for application in store.applications.list(
                calibration_id=found.id, known_at=known.position
            )
        ),
    )


def _answer(
    newest_first: Sequence[Certification], at: datetime | None, distance_mm: float
) -> Certification | None:
    """The latest of the certifications that covers this time and distance."""
    if at is None:
        return None
    return next(
        (one for one in newest_first if at in one.validity and distance_mm in one.distances),
        None,
    )
