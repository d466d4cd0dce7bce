"""Settings: from ``/etc/calib.toml``, the file that ``CALIB_CONFIG`` names, and the environment, in
rising order; a command's own options come last. Needs no database library.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.config.location import Location, default_location, without_password
from calib.errors import InputError, MissingFileError
from calib.model.store.backup import Setting

SYSTEM = Path("/etc/calib.toml")
"""The settings of everybody on this machine."""
CONFIG = "CALIB_CONFIG"
"""The environment variable that names another file of settings."""
_SHOWN = 100
"""Characters of a value that is of no use."""


@dataclass(frozen=True, slots=True)
class _Kind:
    default: Any
    wanted: str
    """What it may be, in words."""
    checked: Callable[[Any], Any]
    """The value as it is used; raises ``ValueError`` where it is of no use."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _store(value: Any) -> str:
    Location.parse(_text(value))
    return _text(value)


def _journal(value: Any) -> str:
    if value not in ("auto", "rollback"):
        raise ValueError
    return str(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004
    seconds = float(value)
    if not 0.0 < seconds <= 86400.0:
        raise ValueError
    return seconds


_KINDS = {
    "store": _Kind(None, "a file, or postgresql://USER@HOST/DATABASE", _store),
    "actor": _Kind(None, "the name of who does something", _text),
    "journal": _Kind("auto", '"auto" or "rollback"', _journal),
    "wait_seconds": _Kind(10.0, "a number of seconds, above 0 and at most 86400", _seconds),
    "connect_seconds": _Kind(10.0, "a number of seconds, above 0 and at most 86400", _seconds),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked."""

    all: Mapping[str, Setting]

    @property
    def store(self) -> str | None:
        """Where the store lies; None where nobody says."""
        found: str | None = self.all["store"].value
        return found

    @property
    def actor(self) -> str | None:
        """Who does things; None where nobody says."""
        found: str | None = self.all["actor"].value
        return found

    @property
    def journal(self) -> str:
        """The journal of a store in a file: ``auto`` or ``rollback``."""
        return str(self.all["journal"].value)

    @property
    def wait_seconds(self) -> float:
        """How long to wait for another writer."""
        return float(self.all["wait_seconds"].value)

    @property
    def connect_seconds(self) -> float:
        """How long to wait for a server's answer."""
        return float(self.all["connect_seconds"].value)


def variable_of(name: str) -> str:
    """The environment variable of a setting: ``CALIB_WAIT_SECONDS`` for ``wait_seconds``."""
    return f"CALIB_{name.upper()}"


def read_settings(
    environment: Mapping[str, str] | None = None, system: Path | None = None
) -> Settings:
    """The settings that hold here.

    Raises ``InputError`` (``bad-settings``) naming file and key for unknown keys and for values of
    no use, and ``MissingFileError`` where ``CALIB_CONFIG`` names no file.
    """
    environment = os.environ if environment is None else environment
    found = {name: _setting(name, kind.default, "default") for name, kind in _KINDS.items()}
    system = SYSTEM if system is None else system
    if system.exists():
        found |= _of_file(system)
    named = environment.get(CONFIG, "")
    if named:
        path = _at_home(named, CONFIG).absolute()
        if not path.is_file():  # a pipe or a device may never end
            raise MissingFileError(
                "no-file",
                f"there is no such file, though {CONFIG} names it.",
                place=str(path),
                remedy=f"unset {CONFIG}, or let it name a file of settings.",
            )
        found |= _of_file(path)
    for name in _KINDS:
        value = environment.get(variable_of(name), "")
        if value.strip():  # an empty variable says nothing
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
                remedy=f"the name {near[0]}." if near else f"one of {', '.join(_KINDS)}.",
            )
        if name == "store" and isinstance(value, str) and "://" not in value and value.strip():
            value = str(path.parent / _at_home(value, f"{path}: store"))  # as seen from the file
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
            f"this is not TOML ({error}).",
            place=str(path),
            remedy='lines such as store = "/data/calib.sqlite".',
        ) from None


def _checked(name: str, value: Any, place: str, origin: str) -> Setting:
    kind = _KINDS[name]
    try:
        return _setting(name, kind.checked(value), origin)
    except InputError as error:
        raise InputError(error.code, error.problem, place=place, remedy=error.remedy) from None
    except (ValueError, TypeError, OverflowError):
        shown = without_password(_briefly(value))
        raise InputError(
            "bad-settings",
            f"{shown!r} is of no use here.",
            place=place,
            remedy=f"{kind.wanted}.",
        ) from None


def _at_home(named: str, place: str) -> Path:
    """A path whose ``~`` is a home folder; of somebody unknown, it is of no use."""
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise InputError(
            "bad-settings",
            f"{_briefly(named)!r} names a home folder that is not there.",
            place=place,
            remedy="the whole path.",
        ) from None


def _briefly(value: Any) -> str:
    try:
        text = str(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
        return f"a {type(value).__name__} of this size"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _setting(name: str, value: Any, origin: str) -> Setting:
    return Setting(name, value, origin, "" if value is None else without_password(str(value)))


def chosen_location(
    option: str | Path | None, environment: Mapping[str, str] | None = None
) -> Location:
    """What ``--store`` says, else the settings (``CALIB_STORE`` among them), else the default."""
    named = option if option is not None else read_settings(environment).store
    return default_location() if named in (None, "") else Location.parse(named or "")
