"""Times given by users and files: read in the detector's time zone, kept in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from calib.errors import InputError
from calib.model.base.bounds import EXPECTED_INSTANT, LAST_INSTANT, brief, is_instant
from calib.model.base.text import zone_named as zone_named
from calib.model.base.zones import TimeZones, as_zones
from calib.model.store.validity import Validity, duration

_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_LONGEST_POSITION = 18
"""Digits. A year alone is read as a position of the log."""


def read_instant(text: str, zone: str | TimeZones, now: datetime) -> datetime:
    """A date or time as typed: ``now``, or ISO 8601; without an offset, in ``zone``, or in that of
    a detector's zones that applies to it.

    Raises ``InputError`` for other text, and for a time before 1900 or after 2200.
    """
    instant = _parsed(text, zone, now)
    if instant is None or not is_instant(instant):
        raise InputError(
            "bad-time",
            f"{brief(text)!r} is out of range.",
            remedy=f"give {EXPECTED_INSTANT}; a period without an end needs none.",
        )
    return instant


def _parsed(text: str, zone: str | TimeZones, now: datetime) -> datetime | None:
    """The instant, in UTC; None where UTC has no such year."""
    if text.strip().lower() == "now":
        return now.astimezone(UTC)
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(
            "bad-time",
            f"{brief(text, 100)!r} is not a date or time.",
            remedy="write 2026-03-01, 2026-03-01T09:30, 2026-03-01T09:30+00:00, or now.",
        ) from error
    if read.tzinfo is None:
        if not 1 < read.year < 9999:  # a change of clocks could lead out of the calendar
            return None
        named = as_zones(zone).name_of(read)
        read = read.replace(tzinfo=zone_named(named))
        if len(text.strip()) > len(
            "2026-03-01"
        ):  # a date without a time starts at its first instant
            _refuse_change_of_clocks(read, text.strip(), named)
    try:
        return read.astimezone(UTC)
    except OverflowError:
        return None


def _refuse_change_of_clocks(read: datetime, text: str, zone: str) -> None:
    """Raise ``InputError`` for a local time that occurs twice or never."""
    first, second = (read.replace(fold=fold).utcoffset() for fold in (0, 1))
    if first is None or second is None or first == second:
        return
    offsets = [read.replace(fold=fold).isoformat()[-6:] for fold in (0, 1)]
    twice = first > second
    raise InputError(
        "ambiguous-time" if twice else "skipped-time",
        f"{text} {'occurs twice' if twice else 'does not exist'} in {zone}, where the clocks go "
        f"{'back' if twice else 'forward'} that day.",
        remedy=f"add an offset: {text}{offsets[0]} or {text}{offsets[1]}.",
    )


def read_period(text: str, zone: str | TimeZones, now: datetime) -> Validity:
    """A year, month or day as typed (``2026``, ``2026-03``, ``2026-03-01``) from its first instant
    to the next one's, or an instant as ``read_instant`` reads it, which is a period of a
    microsecond; without an offset, in ``zone``."""
    named = _PERIOD.fullmatch(text.strip())
    if named is None:
        instant = read_instant(text, zone, now)
        return Validity(instant, instant + timedelta(microseconds=1))
    year, month, day = (None if part is None else int(part) for part in named.groups())
    start = read_instant(f"{year:04}-{month or 1:02}-{day or 1:02}", zone, now)
    if day is not None:
        following = (date(year or 1, month or 1, day) + timedelta(days=1)).isoformat()
    elif month is not None:
        following = f"{(year or 0) + month // 12:04}-{month % 12 + 1:02}-01"
    else:
        following = f"{(year or 0) + 1:04}-01-01"
    end = _parsed(following, zone, now)
    return Validity(start, LAST_INSTANT if end is None else min(end, LAST_INSTANT))


def local_times(zones: TimeZones, *texts: str | None) -> tuple[str, ...]:
    """A sentence for each of these texts that is a time without an offset, other than in UTC: the
    zone in which it was read, and the time in UTC."""
    found = []
    for text in texts:
        if text is None or text.strip().isdecimal():  # a position of the log, or a year
            continue
        try:
            read = datetime.fromisoformat(text.strip())
        except ValueError:
            continue
        if read.tzinfo is not None:
            continue
        zone = zones.name_of(read)
        local = read.replace(tzinfo=zone_named(zone))
        if zone != "UTC":
            utc = local.astimezone(UTC).replace(tzinfo=None)
            found.append(f"{text.strip()} in {zone} is {utc.isoformat(' ')} UTC.")
    return tuple(found)


def future_warnings(taken: datetime, now: datetime) -> tuple[str, ...]:
    """A warning for data from the future; a day is allowed for clocks and time zones."""
    ahead = taken - now
    if ahead <= timedelta(days=1):
        return ()
    return (f"the data were taken in the future, {duration(ahead)} from now.",)


def read_moment(text: str, zone: str | TimeZones, now: datetime) -> datetime | int:
    """A moment of the log as text: a position, or an instant as ``read_instant`` reads it."""
    plain = text.strip()
    if plain.isdecimal() and len(plain) <= _LONGEST_POSITION:
        return int(plain)
    try:
        return read_instant(text, zone, now)
    except InputError as error:
        remedy = f"give a position of the log (calib audit log), or {error.remedy}"
        raise InputError(error.code, error.problem, remedy=remedy) from error


def instant_of_epoch(epoch: float | None, zone: str | TimeZones) -> datetime | None:
    """The instant of a scan's epoch, which is the local time written as if it were UTC; 0 is
    unknown."""
    if not epoch:
        return None
    wall_clock = datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None)
    return wall_clock.replace(tzinfo=as_zones(zone).of(wall_clock)).astimezone(UTC)
