"""Queries for the calibration of a detector at an instant and a distance, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.result.report import Acceptance
from calib.model.store.record import Certification, ChangeStamp


class DistancePolicy(StrEnum):
    """The distances for which a certification applies."""

    EXACT = "exact"
    """Those in its range."""
    NEAREST = "nearest"
    """Those in its range or within its extrapolation limit; the nearest one applies."""


class TimePolicy(StrEnum):
    """The instants for which a certification applies."""

    PRIOR = "prior"
    """Those in its validity: never a certification that begins later than the data."""
    CLOSEST = "closest"
    """Any, if none is valid: the closest one in time applies, even one that begins later."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query."""

    serial: str
    at: datetime
    """When the data were taken, UTC."""
    distance_mm: float
    as_known_at: int | datetime | None = None
    """A position of the log or an instant: later records are ignored. None: all records."""
    distance_policy: DistancePolicy = DistancePolicy.EXACT
    time_policy: TimePolicy = TimePolicy.PRIOR


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedCalibration:
    """The part of a stored calibration that applying needs; verified when read."""

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
    """(n, 6) in mm and rad; NaN if the parameter was fixed."""
    acceptance: Acceptance
    stored: ChangeStamp
    last_started: datetime | None
    """When the latest of its datasets was taken, if known."""

    @property
    def name(self) -> str:
        """``SERIAL:VERSION``."""
        return f"{self.serial}:{self.version}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certification that does not apply, and why."""

    certification: Certification
    lost: str


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """One stored calibration (never interpolated) and why it applies."""

    query: Query
    position: int
    """The last position of the log that was read; the same query as known at this position always
    has the same answer."""
    recorded_at: datetime
    """When that position was recorded."""
    calibration: ResolvedCalibration
    certification: Certification
    """The certification that applies, as known at that position."""
    age: timedelta | None
    """From the latest of its datasets to the data; None if the datasets have no time."""
    distance_gap_mm: float
    """Distance beyond the certified range; 0 inside."""
    time_gap: timedelta
    """Time outside the validity; 0 inside."""
    candidates: tuple[Candidate, ...]
    """The other certifications of the detector, newest first; empty unless requested."""
    warnings: tuple[str, ...]
