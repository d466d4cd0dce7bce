"""certify and withdraw: somebody stands for a calibration over a time and range of distances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor

from calib.errors import InputError
from calib.flows.moments import read_instant
from calib.model.record import Certification, Deed, StoredCalibration
from calib.model.validity import DistanceRange, Validity
from calib.store.store import Store

REACH = 2.0
"""Unless said otherwise, a calibration holds from its shortest distance divided by this factor
to its longest one times this factor, both to the whole mm outwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """What was certified."""

    certification: Certification
    calibration: StoredCalibration
    warnings: tuple[str, ...]


def certify(
    store: Store,
    reference: str,
    *,
    serial: str | None,
    start: str | None,
    end: str | None,
    min_distance_mm: float | None,
    max_distance_mm: float | None,
    reason: str,
    override: str,
    deed: Deed,
    dry_run: bool = False,
) -> Certified:
    """Record that a calibration holds from ``start`` (default: its earliest dataset) to ``end``
    (default: for ever) and for distances from ``min_distance_mm`` to ``max_distance_mm``.

    Raises ``InputError`` where a draft is certified without ``override``, or no start is known.
    """
    found = store.calibration(reference, serial)
    zone = store.detector(found.record.serial).time_zone
    refuse_draft(found, override)
    if not reason.strip():
        raise InputError("no-reason", "a certification needs a reason.", remedy="--reason TEXT.")
    validity = Validity(
        _start(found, start, zone, deed.at),
        None if end is None else read_instant(end, zone, deed.at),
    )
    distances = found.record.distances_mm
    reach = DistanceRange(
        float(floor(distances[0] / REACH)) if min_distance_mm is None else min_distance_mm,
        float(ceil(distances[-1] * REACH)) if max_distance_mm is None else max_distance_mm,
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
        recorded=deed,
        withdrawn=None,
        withdrawn_reason="",
    )
    warnings = []
    if override:
        warnings.append(f"{found.name} failed acceptance and is certified all the same: {override}")
    if not dry_run:
        certification = store.certify(certification)
        found = store.calibration(found.id)
    return Certified(certification, found, tuple(warnings))


def refuse_draft(found: StoredCalibration, override: str) -> None:
    """Raise ``InputError`` for a calibration that failed acceptance, unless overridden."""
    if found.record.acceptance.accepted or override.strip():
        return
    reasons = " ".join(found.record.acceptance.reasons)
    raise InputError(
        "not-accepted",
        f"{found.name} is a draft, it failed acceptance: {reasons}",
        remedy="--override REASON, if you know better.",
    )


def withdraw(
    store: Store,
    reference: str,
    *,
    serial: str | None,
    reason: str,
    deed: Deed,
    dry_run: bool = False,
) -> tuple[Certification, ...]:
    """Take back every live certification of a calibration; what was taken back."""
    found = store.calibration(reference, serial)
    if dry_run:
        live = store.certifications(found.record.serial)
        return tuple(c for c in live if c.calibration_id == found.id and c.withdrawn is None)
    return tuple(store.withdraw(found.id, reason, deed))


def _start(found: StoredCalibration, text: str | None, zone: str, now: datetime) -> datetime:
    if text is not None:
        return read_instant(text, zone, now)
    if not found.starts:
        raise InputError(
            "no-start",
            f"the datasets of {found.name} do not say when they were taken.",
            remedy="--from TIME, such as --from 2026-03-01.",
        )
    return found.starts[0]
