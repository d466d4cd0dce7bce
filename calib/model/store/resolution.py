"""The answer to which calibration holds for a detector, an instant and a distance; and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.result.report import Acceptance
from calib.model.store.record import Certification, ChangeStamp


class DistancePolicy(StrEnum):
    """Which distances a certification answers."""

    EXACT = "exact"
    """Those in its range."""
    NEAREST = "nearest"
    """Those in its range, or beyond by no more than its gap: the nearest one answers."""


class TimePolicy(StrEnum):
    """Which instants a certification answers."""

    PRIOR = "prior"
    """Those in its validity: never one that begins later than the data."""
    CLOSEST = "closest"
    """Any, where none is valid: the closest one in time answers, also one from the future."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked."""

    serial: str
    at: datetime
    """When the data were taken, UTC."""
    distance_mm: float
    as_known_at: int | datetime | None = None
    """A position of the log, or an instant: what was recorded later is left out. None: all."""
    distance_policy: DistancePolicy = DistancePolicy.EXACT
    time_policy: TimePolicy = TimePolicy.PRIOR


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedCalibration:
    """A stored calibration as far as it is needed to be applied; verified when it was read."""

    serial: str
    version: int
    id: str
    layout_id: str
    distances_mm: tuple[float, ...]
    freedom: Freedom
    panel_names: tuple[str, ...]
    status: tuple[PanelStatus, ...]
    n_reflections: Ints
    """(n,)."""
    correction: Correction
    sigma: Floats
    """(n, 6) in mm and rad; NaN where the parameter was held."""
    acceptance: Acceptance
    stored: ChangeStamp
    last_started: datetime | None
    """When the latest of its datasets was taken, where known."""

    @property
    def name(self) -> str:
        """``SERIAL:VERSION``."""
        return f"{self.serial}:{self.version}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certification of the detector that does not answer, and why."""

    certification: Certification
    lost: str


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """One stored calibration, never a blend, with the explanation."""

    query: Query
    position: int
    """The last position of the log that was seen: asked again as known at it, the answer is the
    same for ever."""
    recorded_at: datetime
    """When that position was recorded."""
    calibration: ResolvedCalibration
    certification: Certification
    """By whose word it holds, as known at that position."""
    age: timedelta | None
    """From the latest of its datasets to the data; None where the datasets bear no time."""
    distance_gap_mm: float
    """How far the distance lies outside the certified range; 0 inside."""
    time_gap: timedelta
    """How far the instant lies outside the validity; 0 inside."""
    candidates: tuple[Candidate, ...]
    """The detector's other certifications, newest first; empty unless they were asked for."""
    warnings: tuple[str, ...]
