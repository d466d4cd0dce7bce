"""Select the calibration for one detector of an experiment: by name, or as certified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.errors import LayoutError
from calib.flows.shared.lookups import Lookups
from calib.flows.shared.targets import Target
from calib.model.detector.correction import Correction, PanelStatus
from calib.model.store.record import State
from calib.model.store.resolution import DistancePolicy, TimePolicy
from calib.model.store.validity import shown_instant


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The calibration selected for a target, and the reason."""

    name: str
    calibration_id: str
    version: int
    state: State
    correction: Correction
    status: tuple[PanelStatus, ...]
    why: str
    warnings: tuple[str, ...]


def select_named(target: Target, reference: str, lookups: Lookups) -> Selection:
    """The calibration named by the user, certified or not.

    Raises ``LayoutError`` for a calibration of another detector.
    """
    serial = target.record.serial
    found = lookups.calibration(reference, serial)
    if found.record.layout_id != target.record.layout_id or found.record.serial != serial:
        raise LayoutError(
            "other-detector",
            f"{found.name} is a calibration of another detector than {serial}.",
            remedy=f"choose one listed by calib list --serial {serial}.",
        )
    certified = found.state is State.CERTIFIED
    estimate = found.record.estimate
    return Selection(
        name=found.name,
        calibration_id=found.id,
        version=found.version,
        state=found.state,
        correction=estimate.correction,
        status=estimate.status,
        why=f"{found.name} was named with --calibration",
        warnings=() if certified else (f"{found.name} is {found.state.value}, not certified.",),
    )


def select_certified(
    target: Target,
    lookups: Lookups,
    *,
    as_known_at: int | datetime | None,
    distance_policy: DistancePolicy,
    time_policy: TimePolicy,
) -> Selection:
    """The calibration certified for the time and distance of the data; raises ``NotFoundError``
    where there is none."""
    assert target.time is not None  # noqa: S101 - refused before
    answer = lookups.resolve(
        target.record.serial,
        target.time,
        target.distance_mm,
        as_known_at=as_known_at,
        distance_policy=distance_policy,
        time_policy=time_policy,
    )
    found, certification = answer.calibration, answer.certification
    validity, distances = certification.validity, certification.distances
    end = "open" if validity.end is None else shown_instant(validity.end)
    return Selection(
        name=found.name,
        calibration_id=found.id,
        version=found.version,
        state=State.CERTIFIED,
        correction=found.correction,
        status=found.status,
        why=f"certified from {shown_instant(validity.start)} to {end} for "
        f"{distances.minimum_mm:g} to {distances.maximum_mm:g} mm: {certification.reason} "
        f"(as known at position {answer.position})",
        warnings=answer.warnings,
    )
