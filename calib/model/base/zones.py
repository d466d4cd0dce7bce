"""The time zones in which the times of a detector are read, by date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from calib.model.base.text import zone_named


@dataclass(frozen=True, slots=True)
class TimeZones:
    """The zone in which times without an offset are read, and those of earlier times."""

    last: str
    """IANA name."""
    earlier: tuple[tuple[datetime, str], ...] = ()
    """(end, name): the zone of times before an instant in UTC, ascending."""

    def name_of(self, local: datetime) -> str:
        """The zone of a local time (without an offset): the first that ends after it."""
        for end, name in self.earlier:
            try:
                if local.replace(tzinfo=zone_named(name)).astimezone(UTC) < end:
                    return name
            except OverflowError:  # at the ends of the calendar
                continue
        return self.last

    def of(self, local: datetime) -> ZoneInfo:
        """The same, as a ``tzinfo``."""
        return zone_named(self.name_of(local))

    def at(self, instant: datetime) -> ZoneInfo:
        """The zone at an instant."""
        return zone_named(next((name for end, name in self.earlier if instant < end), self.last))


def as_zones(zone: str | TimeZones) -> TimeZones:
    """The zones of a detector, or one zone for all times."""
    return TimeZones(zone) if isinstance(zone, str) else zone
