"""Times as people and files give them: read in the detector's zone, kept in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calib.errors import InputError


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name, such as ``Europe/London``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            "bad-time-zone",
            f"{name!r} is no time zone.",
            remedy="an IANA name such as Europe/London, or UTC.",
        ) from error


def read_instant(text: str, zone: str, now: datetime) -> datetime:
    """A date or time as typed: ``now``, or ISO 8601; without an offset, in ``zone``."""
    if text.strip().lower() == "now":
        return now.astimezone(UTC)
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(
            "bad-time",
            f"{text!r} is no date or time.",
            remedy="2026-03-01, 2026-03-01T09:30, 2026-03-01T09:30+00:00, or now.",
        ) from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=zone_named(zone))
    try:
        return read.astimezone(UTC)
    except OverflowError as error:
        raise InputError(
            "bad-time",
            f"{text!r} lies beyond the years that can be told.",
            remedy="a year from 1 to 9999 in UTC.",
        ) from error


def instant_of_epoch(epoch: float | None, zone: str) -> datetime | None:
    """The instant of a scan's epoch, which is the site's wall clock posing as UTC; 0 is unknown."""
    if not epoch:
        return None
    wall_clock = datetime.fromtimestamp(epoch, UTC).replace(tzinfo=zone_named(zone))
    return wall_clock.astimezone(UTC)
