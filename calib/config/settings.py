"""Settings from ``/etc/calib.toml``, the file named by ``CALIB_CONFIG`` and the environment.

Later ones take precedence over earlier ones, and command-line options over all. Loads no database
library.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from calib.config.location import Location, default_location, is_address
from calib.errors import InputError, MissingFileError
from calib.model.base.text import checked_serial
from calib.model.store.backup import Setting
from calib.passwords import without_password

SYSTEM = Path("/etc/calib.toml")
"""The settings of all users of this machine."""
CONFIG = "CALIB_CONFIG"
"""The environment variable that names another settings file."""
_SHOWN = 100
"""Number of characters shown of an invalid value."""


@dataclass(frozen=True, slots=True)
class _Kind:
    default: Any
    wanted: str
    """Description of valid values."""
    checked: Callable[[Any], Any]
    """Converts a value; raises ``ValueError`` if it is not valid."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _serial(value: Any) -> str:
    return checked_serial(_text(value))


def _store(value: Any) -> str:
    Location.parse(_text(value))
    return _text(value)


def _journal(value: Any) -> str:
    if value not in ("auto", "rollback"):
        raise ValueError
    return str(value)


def _up_to(most: float) -> Callable[[Any], float]:
    def number(value: Any) -> float:
        if isinstance(value, bool):
            raise ValueError  # noqa: TRY004
        found = float(value)
        if not 0.0 < found <= most:
            raise ValueError
        return found

    return number


_MOST_DAYS = 200_000
"""More than from the first to the last instant that can be recorded."""
_SECONDS = ("a number of seconds, above 0 and at most 86400", _up_to(86400.0))
_DAYS = (f"a number of days, above 0 and at most {_MOST_DAYS}", _up_to(_MOST_DAYS))
_KINDS = {
    "store": _Kind(None, "a file, or postgresql://USER@HOST/DATABASE", _store),
    "actor": _Kind(None, "the name of a person or program", _text),
    "journal": _Kind("auto", '"auto" or "rollback"', _journal),
    "wait_seconds": _Kind(10.0, *_SECONDS),
    "connect_seconds": _Kind(10.0, *_SECONDS),
    "clock_gap_days": _Kind(400.0, *_DAYS),
    "clock_tolerance_days": _Kind(1.0, *_DAYS),
    "timestamp_url": _Kind(None, "the address of a time-stamp authority", _text),
    "timestamp_roots": _Kind(None, "a file with its root certificates in PEM format", _text),
    "serial": _Kind(None, "the serial number of a detector, such as 24-0107", _serial),
    "beamline": _Kind(None, "the name of a beamline", _text),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked."""

    all: Mapping[str, Setting]

    @property
    def store(self) -> str | None:
        """Location of the store; None if not set."""
        found: str | None = self.all["store"].value
        return found

    @property
    def actor(self) -> str | None:
        """Name of the actor; None if not set."""
        found: str | None = self.all["actor"].value
        return found

    @property
    def serial(self) -> str | None:
        """Serial number of a detector that neither files nor options name; None if not set."""
        found: str | None = self.all["serial"].value
        return found

    @property
    def beamline(self) -> str | None:
        """Name of the beamline whose detector such data are of; None if not set."""
        found: str | None = self.all["beamline"].value
        return found

    @property
    def journal(self) -> str:
        """Journal mode of a store in a file: ``auto`` or ``rollback``."""
        return str(self.all["journal"].value)

    @property
    def wait_seconds(self) -> float:
        """How long to wait for the write lock."""
        return float(self.all["wait_seconds"].value)

    @property
    def connect_seconds(self) -> float:
        """How long to wait for a connection to a server."""
        return float(self.all["connect_seconds"].value)

    @property
    def clock_gap(self) -> timedelta:
        """The longest time since the last entry of a store in a file at which another is recorded
        without ``--clock-checked``."""
        return timedelta(days=self.all["clock_gap_days"].value)

    @property
    def clock_tolerance(self) -> timedelta:
        """How far the time of a change may be from the clock of the server or file system."""
        return timedelta(days=self.all["clock_tolerance_days"].value)

    @property
    def timestamp_url(self) -> str | None:
        """Address of the time-stamp authority (RFC 3161); None if not set."""
        found: str | None = self.all["timestamp_url"].value
        return found

    @property
    def timestamp_roots(self) -> Path | None:
        """File with the root certificates of that authority; None if not set."""
        found = self.all["timestamp_roots"]
        return None if found.value is None else _expanded(found.value, found.origin)


def variable_of(name: str) -> str:
    """The environment variable of a setting: ``CALIB_WAIT_SECONDS`` for ``wait_seconds``."""
    return f"CALIB_{name.upper()}"


def read_settings(
    environment: Mapping[str, str] | None = None, system: Path | None = None
) -> Settings:
    """Read the settings in effect.

    Raises ``InputError`` (``bad-settings``), naming file and key, for unknown keys and invalid
    values, and ``MissingFileError`` if the file named by ``CALIB_CONFIG`` is missing.
    """
    environment = os.environ if environment is None else environment
    found = {name: _setting(name, kind.default, "default") for name, kind in _KINDS.items()}
    system = SYSTEM if system is None else system
    if system.exists():
        found |= _of_file(system)
    named = environment.get(CONFIG, "")
    if named:
        path = _expanded(named, CONFIG).absolute()
        if not path.is_file():  # a pipe or a device may never end
            raise MissingFileError(
                "no-file",
                f"the file named by {CONFIG} does not exist or is not a regular file.",
                place=str(path),
                remedy=f"unset {CONFIG}, or set it to the path of a settings file.",
            )
        found |= _of_file(path)
    for name in _KINDS:
        value = environment.get(variable_of(name), "")
        if value.strip():  # an empty variable counts as not set
            found[name] = _checked(name, value, variable_of(name), variable_of(name))
    return Settings(found)


def _of_file(path: Path) -> dict[str, Setting]:
    content = _content(path)
    found = {}
    for name, value in content.items():
        if name not in _KINDS:
            near = difflib.get_close_matches(name, _KINDS, 1)
            raise InputError(
                "bad-settings",
                f"there is no setting {name!r}.",
                place=str(path),
                remedy=f"use {near[0]}." if near else f"use one of {', '.join(_KINDS)}.",
            )
        if name == "store" and isinstance(value, str) and value.strip() and not is_address(value):
            value = str(
                path.parent / _expanded(value, f"{path}: store")
            )  # relative to the settings file
        found[name] = _checked(name, value, f"{path}: {name}", str(path))
    return found


def _content(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingFileError(
            "unreadable-file",
            f"the settings cannot be read: {error.strerror or error}.",
            place=str(path),
            remedy="ask its owner for permission to read it.",
        ) from None
    except (ValueError, RecursionError) as error:  # TOML's and UTF-8's own errors are ValueErrors
        raise InputError(
            "bad-settings",
            f"this file is not valid TOML ({error}).",
            place=str(path),
            remedy='write lines such as store = "/data/calib.sqlite".',
        ) from None


def _checked(name: str, value: Any, place: str, origin: str) -> Setting:
    kind = _KINDS[name]
    try:
        return _setting(name, kind.checked(value), origin)
    except InputError as error:
        raise InputError(error.code, error.problem, place=place, remedy=error.remedy) from None
    except (ValueError, TypeError, OverflowError):
        shown = _briefly(value)
        raise InputError(
            "bad-settings",
            f"{shown!r} is not a valid value.",
            place=place,
            remedy=f"set it to {kind.wanted}.",
        ) from None


def _expanded(named: str, place: str) -> Path:
    """The path with ``~`` expanded; raises ``InputError`` if the user does not exist."""
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise InputError(
            "bad-settings",
            f"{_briefly(named)!r} names the home folder of an unknown user.",
            place=place,
            remedy="give the whole path.",
        ) from None


def _briefly(value: Any) -> str:
    try:
        text = without_password(str(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
        return f"{type(value).__name__} too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _setting(name: str, value: Any, origin: str) -> Setting:
    return Setting(name, value, origin, "" if value is None else without_password(str(value)))


def chosen_location(
    option: str | Path | None, environment: Mapping[str, str] | None = None
) -> Location:
    """The store given by ``--store``, else by the settings or ``CALIB_STORE``, else the default."""
    named = option if option is not None else read_settings(environment).store
    return default_location() if named in (None, "") else Location.parse(named or "")
