"""Validity: half-open intervals of UTC time, and of distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calib.errors import InputError

_DAY = timedelta(days=1)


def utc(instant: datetime) -> datetime:
    """The same instant in UTC; naive datetimes are refused."""
    if instant.tzinfo is None:
        raise InputError(
            "naive-time",
            f"{instant.isoformat()} has no time zone.",
            remedy="give an offset, such as +00:00.",
        )
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # before year 1 or after year 9999 in UTC; older stores have such times
        return instant


def shown_instant(instant: datetime) -> str:
    """The instant in UTC as ISO 8601 writes it, such as ``2026-03-01T09:30:00Z``."""
    return utc(instant).isoformat().replace("+00:00", "Z")


def duration(gap: timedelta) -> str:
    """A duration as text, such as ``2 days``."""
    for unit, length in (("days", _DAY), ("hours", _DAY / 24), ("minutes", _DAY / 1440)):
        if gap >= 2 * length:
            number = gap / length
            return f"{number:.3g} {unit}" if number < 100.0 else f"{number:.0f} {unit}"
    return f"{max(gap.total_seconds(), 1e-6):.6g} seconds"


@dataclass(frozen=True, slots=True)
class Validity:
    """The instants t with start <= t < end; without an end, until further notice."""

    start: datetime
    """UTC, included."""
    end: datetime | None
    """UTC, excluded."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", utc(self.end))
            if self.end <= self.start:
                raise InputError(
                    "empty-interval",
                    f"{self.start.isoformat()} to {self.end.isoformat()} is an empty interval.",
                    remedy="give an end that is later than the start.",
                )

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)

    def gap_to(self, instant: datetime) -> timedelta:
        """Time from the interval to an instant; 0 inside, positive at the excluded end."""
        if instant in self:
            return timedelta(0)
        if instant < self.start:
            return self.start - instant
        return max(instant - (self.end or instant), timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class DistanceRange:
    """The detector distances d with minimum <= d < maximum, in mm."""

    minimum_mm: float
    maximum_mm: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.minimum_mm < self.maximum_mm:
            raise InputError(
                "empty-range",
                f"the distance range {self.minimum_mm} to {self.maximum_mm} mm is empty.",
                remedy="give a maximum above the minimum.",
            )

    def __contains__(self, distance_mm: float) -> bool:
        return self.minimum_mm <= distance_mm < self.maximum_mm

    def gap_to(self, distance_mm: float) -> float:
        """Distance outside the range in mm; 0 inside, positive at the excluded maximum."""
        if distance_mm in self:
            return 0.0
        if distance_mm < self.minimum_mm:
            return self.minimum_mm - distance_mm
        return max(distance_mm - self.maximum_mm, math.ulp(self.maximum_mm))
