"""The calibration for one detector of an experiment: by name, or as certified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.errors import LayoutError
from calib.flows.shared.targets import Target
from calib.model.detector.correction import Correction, PanelStatus
from calib.model.store.protocol import StoreLike
from calib.model.store.record import State
from calib.model.store.resolution import DistancePolicy, TimePolicy
from calib.model.store.validity import shown_instant


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The calibration for a target, and why this one."""

    name: str
    calibration_id: str
    version: int
    state: State
    correction: Correction
    status: tuple[PanelStatus, ...]
    why: str
    warnings: tuple[str, ...]


def named(target: Target, reference: str, store: StoreLike) -> Choice:
    """The calibration that a person named, whatever is certified; ``LayoutError`` where it is one
    of another detector."""
    serial = target.record.serial
    found = store.calibrations.get(reference, serial)
    if found.record.layout_id != target.record.layout_id or found.record.serial != serial:
        raise LayoutError(
            "other-detector",
            f"{found.name} is a calibration of another detector than {serial}.",
            remedy=f"calib list --serial {serial}.",
        )
    certified = found.state is State.CERTIFIED
    estimate = found.record.estimate
    return Choice(
        name=found.name,
        calibration_id=found.id,
        version=found.version,
        state=found.state,
        correction=estimate.correction,
        status=estimate.status,
        why=f"{found.name} was named with --calibration",
        warnings=() if certified else (f"{found.name} is {found.state.value}, not certified.",),
    )


def resolved(
    target: Target,
    store: StoreLike,
    *,
    as_known_at: int | datetime | None,
    distance_policy: DistancePolicy,
    time_policy: TimePolicy,
) -> Choice:
    """The calibration that answers for the data's time and distance; ``NotFoundError`` where none
    does."""
    assert target.time is not None  # noqa: S101 - refused before
    answer = store.resolve(
        target.record.serial,
        target.time,
        target.distance_mm,
        as_known_at=as_known_at,
        distance_policy=distance_policy,
        time_policy=time_policy,
    )
    found, word = answer.calibration, answer.certification
    end = "open" if word.validity.end is None else shown_instant(word.validity.end)
    return Choice(
        name=found.name,
        calibration_id=found.id,
        version=found.version,
        state=State.CERTIFIED,
        correction=found.correction,
        status=found.status,
        why=f"certified from {shown_instant(word.validity.start)} to {end} for "
        f"{word.distances.minimum_mm:g} to {word.distances.maximum_mm:g} mm: {word.reason} "
        f"(as known at position {answer.position})",
        warnings=answer.warnings,
    )
