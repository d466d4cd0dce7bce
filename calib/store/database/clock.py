"""The time of a change, compared with clocks other than that of this machine.

Recorded times only rise, so that a single change with a time years ahead would give a wrong time to
all later ones. A database server has a clock of its own, and a file that is created now gets its
time from the file system, which on a network is that of the file server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from calib.config.location import Location
from calib.errors import StoreError

CLOCK = "calib_clock"
"""Key of a connection under which writes find their ``ClockRule``."""
CONFIRM = (
    "compare the clock of this machine with another one. If it is right, repeat the command with "
    "--clock-checked; from Python, use Store.open(..., clock_checked=True)."
)
"""The remedy where the clock of this machine may be wrong."""


@dataclass(frozen=True, slots=True)
class ClockRule:
    """Which times of changes a store accepts."""

    location: Location
    folder: Path | None
    """The folder of the SQLite file; None for a server."""
    gap: timedelta
    """On SQLite, the longest time since the last entry."""
    tolerance: timedelta
    """How far a time may differ from the clock of the server, or be ahead of that of the file
    system."""
    checked: bool = False
    """Whether the user states that the clock of this machine is right (``--clock-checked``)."""

    def check(self, connection: Connection, at: datetime, last: datetime | None) -> None:
        """Raise ``StoreError`` (``clock-differs``, ``clock-jump``) unless ``at`` may be recorded
        after an entry at ``last``, or as the first where this is None."""
        if self.folder is None:
            self._compare_with_server(connection, at)
        elif not self.checked:
            jump = timedelta() if last is None else at - last
            if jump > self.gap:
                raise self._refused(
                    "clock-jump", at, f"{days(jump)} after the last entry of the log."
                )
            if last is None or jump > self.tolerance:
                self._compare_with_file(self.folder, at)

    def _compare_with_server(self, connection: Connection, at: datetime) -> None:
        now = connection.exec_driver_sql("SELECT clock_timestamp()").scalar()
        assert isinstance(now, datetime)  # noqa: S101
        difference = at - now
        if abs(difference) > self.tolerance:
            where = "ahead of" if difference > timedelta() else "behind"
            raise StoreError(
                "clock-differs",
                f"the time of this change, {_second(at)}, is {days(difference)} {where} the clock "
                "of the database server. Nothing was recorded.",
                place=self.location.shown,
                remedy="set both clocks from the same time server.",
            )

    def _compare_with_file(self, folder: Path, at: datetime) -> None:
        now = _time_of_new_file(folder)
        if now is not None and at - now > self.tolerance:
            found = f"{days(at - now)} ahead of a file that was written just now beside the store."
            raise self._refused("clock-differs", at, found)

    def _refused(self, code: str, at: datetime, found: str) -> StoreError:
        return StoreError(
            code,
            f"the time of this change, {_second(at)}, is {found} Nothing was recorded.",
            place=self.location.shown,
            remedy=CONFIRM,
        )


def _time_of_new_file(folder: Path) -> datetime | None:
    """The time that the file system gives to a new file; None where no file can be created."""
    path = folder / f".calib-clock-{secrets.token_hex(4)}"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError:
        return None
    try:
        with contextlib.suppress(OSError):
            path.unlink()
        return datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None
    finally:
        os.close(handle)


def days(difference: timedelta) -> str:
    """A difference of times in words, such as ``1826 days``, without its sign."""
    number = abs(difference) / timedelta(days=1)
    return f"{number:.0f} days" if number >= 2 else f"{24 * number:.0f} hours"


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
