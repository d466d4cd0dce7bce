"""Maintenance of whole stores: back-up, restore, upgrade and checks.

Each function takes the location of a store, of whatever revision, and opens it itself. What it
needs is imported when it is called, since these commands are rare.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from calib.config.location import Location
from calib.store.database.database import Database, existing_file, require_file
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.schema import revision as schema
from calib.store.schema.compatibility import admitted_by

if TYPE_CHECKING:
    from calib.model.store.backup import Backup, Check, StoreRevision, StoreRole, Upgraded


def create(
    location: str | Path | Location, journal: Journal | None = None, group: str | None = None
) -> bool:
    """Create an empty store; False where one of the current revision exists already.

    With ``group`` its folder and its files are shared with this group, also where it exists.
    Raises ``InputError`` where something else exists, or a store of another revision, and what
    ``sharing.share`` raises.
    """
    return schema.create(_location(location), journal, group)


def exists(location: str | Path | Location) -> bool:
    """Whether the store's file exists; always true for a server."""
    place = _location(location)
    return place.path is None or existing_file(place)


def revision(location: str | Path | Location) -> StoreRevision:
    """The revision of a store, and the oldest programs that may read and write it."""
    from calib.model.store.backup import StoreRevision

    place = _location(location)
    if place.path is not None and not existing_file(place):
        return StoreRevision(None)
    database = Database(place, read_only=True)
    try:
        return _revision(database)
    finally:
        database.close()


def upgrade(
    location: str | Path | Location,
    backup: Path | None = None,
    journal: Journal | None = None,
    *,
    dry_run: bool = False,
) -> Upgraded:
    """Upgrade an older store to the current revision in one transaction, after a backup."""
    from calib.store.maintenance.upgrade import upgrade

    return upgrade(_location(location), backup, journal, dry_run=dry_run)


def grant(
    location: str | Path | Location, role: str, kind: StoreRole, *, dry_run: bool = False
) -> tuple[str, ...]:
    """Give a role of a Postgres server what it needs for the store; returns the SQL.

    A dry run does not connect to the server.
    """
    from calib.store.maintenance.grants import grant, grant_statements

    return grant_statements(role, kind) if dry_run else grant(_location(location), role, kind)


def back_up(location: str | Path | Location, path: Path) -> Backup:
    """Write a consistent copy of the store to a new file, which is a store itself."""
    from calib.store.maintenance.backup import back_up

    place = _location(location)
    require_file(place)
    database = Database(place, read_only=True)
    try:
        return back_up(database, path)
    finally:
        database.close()


def backup_name(location: str | Path | Location, now: datetime) -> Path:
    """The default name of a backup."""
    from calib.store.maintenance.backup import backup_name

    return backup_name(_location(location), now)


def restore(
    location: str | Path | Location,
    path: Path,
    journal: Journal | None = None,
    *,
    dry_run: bool = False,
) -> Backup:
    """Create a store from a backup, where none exists; a dry run only checks both."""
    from calib.store.maintenance.backup import checked_backup, refuse_store, restore

    place = _location(location)
    if dry_run:
        refuse_store(place)
        return checked_backup(path)
    return restore(place, path, journal)


def check_method(location: str | Path | Location) -> Check:
    """The certified calibrations of an older version of the method, whose sigmas may be too
    small."""
    from calib.model.result.report import METHOD
    from calib.model.store.backup import Check
    from calib.model.store.record import State
    from calib.store.api.calibrations import CalibrationApi

    database = Database(_location(location), read_only=True)
    try:
        calibrations = CalibrationApi(database)
        older = [
            f"{line.serial}:{line.version}"
            for line in calibrations.list()
            if line.state is State.CERTIFIED and calibrations.get(line.id).record.method < METHOD
        ]
    finally:
        database.close()
    if not older:
        return Check("method", True, "no certified calibration is of an older version.")
    return Check(
        "method",
        True,
        f"certified, but derived with an older version of the method: {', '.join(older)}; derive "
        "them again from their files.",
    )


def check(location: str | Path | Location) -> list[Check]:
    """Check a store as a database: its file, schema, foreign keys and triggers."""
    from calib.store.maintenance.check import check

    return check(_location(location))


def environment(location: str | Path | Location, now: datetime) -> list[Check]:
    """Check the place of a store, the user's permissions on it, and the clocks."""
    from calib.store.maintenance.environment import environment

    return environment(_location(location), now)


@retry_read
def _revision(database: Database) -> StoreRevision:
    from calib.model.store.backup import StoreRevision

    found = schema.revision_at(database)
    if found is None:
        return StoreRevision(None)
    with database.reading() as connection:
        return StoreRevision(found, *admitted_by(connection, found))


def _location(location: str | Path | Location) -> Location:
    return location if isinstance(location, Location) else Location.parse(location)
