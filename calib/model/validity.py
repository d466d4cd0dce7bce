"""When something holds: half-open intervals of UTC time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from calib.errors import InputError


def utc(instant: datetime) -> datetime:
    """The same instant in UTC; naive datetimes are refused."""
    if instant.tzinfo is None:
        raise InputError(
            "naive-time",
            f"{instant.isoformat()} has no time zone.",
            remedy="give an offset, such as +00:00.",
        )
    return instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Validity:
    """The instants t with start <= t < end; no end means for ever."""

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
