"""Amendments: changes of how a detector is described, retirements, and calibrations that were
recorded under a wrong serial.

Nothing recorded is changed: each amendment is a record of its own. Those of detectors have two
times: when they were recorded, and from when on they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calib.errors import InputError
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.model.store.validity import utc


@dataclass(frozen=True, slots=True)
class DetectorEdit:
    """A change of how a detector is described; what does not change is None."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    serial: str
    start: datetime | None
    """From when on it holds, UTC. None: always, in place of all earlier changes of the same
    value."""
    time_zone: str | None
    """IANA name."""
    description: str | None
    layout_name: str | None
    """The name of the model, for panels that are not those of a known family."""
    reason: str
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", utc(self.start))
        if self.time_zone is None and self.description is None and self.layout_name is None:
            raise InputError(
                "nothing-to-change",
                "no new value is given.",
                remedy="use --time-zone, --description or --layout-name.",
            )
        _require_reason(self.reason, "a change of a detector")


@dataclass(frozen=True, slots=True)
class Retirement:
    """A detector is out of use from an instant on, or in use again."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    serial: str
    start: datetime | None
    """UTC, included. None: the detector is in use; an earlier retirement no longer holds."""
    reason: str
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", utc(self.start))
        _require_reason(self.reason, "a retirement" if self.start else "a return to use")


@dataclass(frozen=True, slots=True)
class Relabelling:
    """A calibration was recorded again under the right serial."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    calibration_id: str
    """The calibration with the wrong serial."""
    replacement_id: str
    """The calibration with the right serial."""
    serial: str
    """The right serial."""
    reason: str
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        _require_reason(self.reason, "a change of the serial")


def _require_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise InputError("no-reason", f"{what} needs a reason.", remedy="use --reason TEXT.")


def edited(record: DetectorRecord, edits: Iterable[DetectorEdit]) -> DetectorRecord:
    """A detector as registered, with its changes.

    A change without a start replaces what was recorded before; of the others the one with the
    latest start holds, of equal starts the one recorded last.
    """
    ordered = sorted(edits, key=lambda one: one.number)
    zones = _periods([(one.start, one.time_zone) for one in ordered])
    descriptions = _periods([(one.start, one.description) for one in ordered])
    layouts = _periods([(one.start, one.layout_name) for one in ordered])
    names = [record.time_zone, *(name for _, name in zones)]
    starts = [start for start, _ in zones]
    if starts and starts[0] is None:
        names, starts = names[1:], starts[1:]
    ends = [start for start in starts if start is not None]
    return replace(
        record,
        time_zone=names[-1],
        description=descriptions[-1][1] if descriptions else record.description,
        layout_name=layouts[-1][1] if layouts else record.layout_name,
        earlier_zones=tuple(zip(ends, names[:-1], strict=True)),
    )


def _periods(
    values: Sequence[tuple[datetime | None, str | None]],
) -> list[tuple[datetime | None, str]]:
    """The values that hold, each from its start to the next one's, in the order of their starts."""
    found: dict[datetime | None, str] = {}
    for start, value in values:
        if value is None:
            continue
        if start is None:
            found.clear()
        found[start] = value
    undated = [(start, value) for start, value in found.items() if start is None]
    dated = [(start, value) for start, value in found.items() if start is not None]
    return [*undated, *sorted(dated, key=lambda one: one[0])]


def retirement_in_force(retirements: Iterable[Retirement]) -> Retirement | None:
    """The retirement that was recorded last; None if the detector is in use."""
    last = max(retirements, key=lambda one: one.number, default=None)
    return None if last is None or last.start is None else last
