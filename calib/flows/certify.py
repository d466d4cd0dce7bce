"""certify and withdraw: when, and for which distances, a calibration is to be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from calib.errors import InputError
from calib.flows.shared.retired import retired_validity_warnings
from calib.flows.shared.succession import refuse_identical, sliver_warnings, without_slivers
from calib.flows.shared.times import read_instant
from calib.model.base.bounds import EXTENT_MM, POSITION, brief, is_instant
from calib.model.base.text import checked_words
from calib.model.base.zones import TimeZones
from calib.model.experiment.epochs import FIRST_DATA
from calib.model.store.certification_rules import Consequences, default_range
from calib.model.store.protocol import StoreLike
from calib.model.store.record import Certification, ChangeStamp, State, StoredCalibration
from calib.model.store.validity import DistanceRange, Validity

GAP = 0.1
"""Default extrapolation limit: this fraction of the longest distance, rounded up to mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """A certification that was recorded, and its consequences."""

    certification: Certification
    calibration: StoredCalibration
    consequences: Consequences
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Certifications that were withdrawn, and the consequences."""

    certifications: tuple[Certification, ...]
    consequences: Consequences


def certify(
    store: StoreLike,
    reference: str,
    *,
    serial: str | None,
    start: str | None,
    end: str | None,
    min_distance_mm: float | None,
    max_distance_mm: float | None,
    gap_mm: float | None,
    reason: str,
    override: str,
    supersede: bool,
    stamp: ChangeStamp,
    partial: bool = False,
    dry_run: bool = False,
) -> Certified:
    """Certify a calibration from ``start`` (default: its earliest dataset) to ``end`` (default:
    until further notice) for distances from ``min_distance_mm`` to ``max_distance_mm``, and by
    ``gap_mm`` beyond these where the nearest calibration is requested. Distances that are not given
    are extended to those of a certification that is succeeded, within the default extrapolation
    limit.

    Raises ``InputError`` where a draft is certified without ``override``, one of which less than
    half of the panels are measured is certified for the first time without ``partial``, no start is
    known, it is recorded already, or other certifications would be replaced without ``supersede``.
    """
    found = store.calibrations.get(reference, serial)
    zone = store.detectors.get(found.record.serial).zones
    refuse_draft(found, override)
    _refuse_partial(found, partial=partial or bool(override.strip()))
    if not reason.strip():
        raise InputError(
            "no-reason", "a certification needs a reason.", remedy="use --reason TEXT."
        )
    checked_words(reason, "the reason")
    checked_words(override, "the reason for the override")
    for option, value in (
        ("--min-distance", min_distance_mm),
        ("--max-distance", max_distance_mm),
        ("--gap-mm", gap_mm),
    ):
        if value is not None and value not in EXTENT_MM:
            raise InputError(
                "bad-distance",
                f"{option} {brief(value)} is not a distance in mm.",
                remedy=f"give {EXTENT_MM.expected}.",
            )
    validity = Validity(
        _start(found, start, zone, stamp.at),
        None if end is None else read_instant(end, zone, stamp.at),
    )
    distances = found.record.distances_mm
    limit_mm = float(ceil(GAP * distances[-1]))
    reach = default_range(distances)
    reach = DistanceRange(
        reach.minimum_mm if min_distance_mm is None else min_distance_mm,
        reach.maximum_mm if max_distance_mm is None else max_distance_mm,
    )
    certification = Certification(
        number=0,
        calibration_id=found.id,
        serial=found.record.serial,
        version=found.version,
        validity=validity,
        distances=reach,
        reason=reason,
        override=override,
        recorded=stamp,
        withdrawn=None,
        withdrawn_reason="",
        gap_mm=limit_mm if gap_mm is None else gap_mm,
    )
    certification = without_slivers(
        store,
        certification,
        limit_mm,
        lower=min_distance_mm is None,
        upper=max_distance_mm is None,
    )
    refuse_identical(store, certification)
    warnings = sliver_warnings(store, certification, limit_mm)
    warnings += retired_validity_warnings(store, certification.serial, validity)
    if override:
        warnings.append(
            f"{found.name} passed acceptance and needs no override: {override}"
            if found.record.acceptance.accepted
            else f"{found.name} failed acceptance and is certified with an override: {override}"
        )
    if dry_run:
        return Certified(
            certification,
            found,
            store.certifications.preview_certify(certification),
            tuple(warnings),
        )
    certification = store.certifications.certify(certification, supersede=supersede)
    consequences = store.certifications.consequences(certification.number)
    return Certified(certification, store.calibrations.get(found.id), consequences, tuple(warnings))


def refuse_draft(found: StoredCalibration, override: str) -> None:
    """Raise ``InputError`` for a calibration that failed acceptance, unless overridden."""
    if found.record.acceptance.accepted or override.strip():
        return
    reasons = " ".join(found.record.acceptance.reasons)
    raise InputError(
        "not-accepted",
        f"{found.name} failed acceptance and is a draft: {reasons}",
        remedy="derive again from better data; --override REASON certifies it nevertheless.",
    )


def _refuse_partial(found: StoredCalibration, *, partial: bool) -> None:
    """Raise ``InputError`` for a calibration of less than half of the panels, unless this is
    confirmed or it is certified already."""
    estimate = found.record.estimate
    if partial or not estimate.is_partial or found.state is State.CERTIFIED:
        return
    measured, n = int(estimate.measured.sum()), len(estimate.status)
    raise InputError(
        "partial-coverage",
        f"{found.name} measures {measured} of {n} panels; the others follow these, the prior and "
        "the groups that they are mounted on.",
        remedy="derive it from data on more panels, or use --partial to certify it as it is.",
    )


def withdraw(
    store: StoreLike,
    reference: str,
    *,
    serial: str | None,
    number: int | None,
    reason: str,
    stamp: ChangeStamp,
    before: Callable[[Consequences], None],
    dry_run: bool = False,
) -> Withdrawn:
    """Withdraw all certifications of a calibration, or the one with this number.

    ``before`` is called with the consequences before anything is written.
    """
    checked_words(reason, "the reason")
    if number is not None:
        POSITION.checked(number, "the number of the certification")
    found = store.calibrations.get(reference, serial)
    which: str | int = found.id if number is None else number
    lost, consequences = store.certifications.preview_withdraw(which)
    if any(one.calibration_id != found.id for one in lost):
        raise InputError(
            "other-calibration",
            f"certification {number} is one of {lost[0].serial}:{lost[0].version}, not of "
            f"{found.name}.",
            remedy=f"calib show {found.name} lists its certifications.",
        )
    before(consequences)
    if not dry_run:
        lost = store.certifications.withdraw(which, reason, stamp)
    return Withdrawn(tuple(lost), consequences)


def _start(
    found: StoredCalibration, text: str | None, zone: str | TimeZones, now: datetime
) -> datetime:
    if text is not None:
        return read_instant(text, zone, now)
    # Earlier programs stored times since the start of a scan as dates in 1970.
    starts = [start for start in found.starts if start >= FIRST_DATA and is_instant(start)]
    if not starts:
        raise InputError(
            "no-start",
            f"the datasets of {found.name} do not say when they were taken.",
            remedy="use --from TIME, such as --from 2026-03-01.",
        )
    return starts[0]
