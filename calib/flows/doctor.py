"""doctor: check the settings, the store and its environment."""

from __future__ import annotations

import platform
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from calib.config.location import Location, default_location
from calib.config.settings import chosen_location, read_settings
from calib.errors import CalibError
from calib.model.store.backup import Check, Setting
from calib.store.api import maintenance
from calib.version import __version__


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Settings and the results of all checks."""

    settings: tuple[Setting, ...]
    checks: tuple[Check, ...]


def diagnose(named: Location | None, login: str, now: datetime) -> Diagnosis:
    """Run all checks; problems are reported in the result, not raised.

    ``named`` is the store given with ``--store``, None: as in the settings. ``login`` is the login
    name of the user.
    """
    checks = [_program(), _dials()]
    try:
        found = dict(read_settings().all)
        location = chosen_location(None) if named is None else named
    except CalibError as error:
        return Diagnosis((), (*checks, _trouble("settings", error)))
    where = found["store"].origin if named is None else "--store"
    found["store"] = Setting("store", location, where, location.shown)
    if found["actor"].value is None:
        found["actor"] = Setting("actor", login, "login name", login)
    settings = tuple(found.values())
    checks.append(Check("settings", True, "all settings recognised."))
    if location == default_location() and not maintenance.exists(location):
        checks.append(Check("store", True, f"none yet; it will be created in {location.shown}."))
        return Diagnosis(settings, tuple(checks))
    try:
        checks += maintenance.environment(location, now)
        checks += maintenance.check(location)
        if all(check.fine for check in checks):
            checks.append(maintenance.check_method(location))
    except CalibError as error:
        checks.append(_trouble("store", error))
    return Diagnosis(settings, tuple(checks))


def _program() -> Check:
    return Check(
        "program",
        True,
        f"calib {__version__}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}.",
    )


def _dials() -> Check:
    path = shutil.which("dials.refine")
    if path is None:
        text = "not on the PATH; calib does not need it, but data processing does."
        return Check("DIALS", True, text)
    return Check("DIALS", True, f"found: {path}.")


def _trouble(name: str, error: CalibError) -> Check:
    place = f"{error.place}: " if error.place else ""
    return Check(name, False, f"{place}{error.problem}", error.remedy.removesuffix("."))
