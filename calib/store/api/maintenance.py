"""The store's door: making, keeping and carrying whole stores, of whatever revision."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from calib.config.location import Location
from calib.store.api.entity import Door
from calib.store.database.database import Database, existing_file, require_file
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.schema import revision as schema
from calib.store.schema.compatibility import admitted_by

if TYPE_CHECKING:
    from calib.model.store.backup import Backup, Check, StoreRevision, Upgraded


class KeepingDoor(Door):
    """What is done with a store as a whole, seldom, so that each loads what it needs by itself;
    nothing needs to be open."""

    @staticmethod
    def create(location: str | Path | Location, journal: Journal | None = None) -> bool:
        """Make an empty store; False where one of today's revision is there already.

        Raises ``InputError`` where something else is there, or a store of another revision.
        """
        return schema.create(_place(location), journal)

    @staticmethod
    def revision(location: str | Path | Location) -> StoreRevision:
        """The revision of the store that is there, and whom it admits."""
        from calib.model.store.backup import StoreRevision

        place = _place(location)
        if place.path is not None and not existing_file(place):
            return StoreRevision(None)
        database = Database(place, read_only=True)
        try:
            return _revision(database)
        finally:
            database.close()

    @staticmethod
    def upgrade(
        location: str | Path | Location,
        backup: Path | None = None,
        journal: Journal | None = None,
        *,
        dry_run: bool = False,
    ) -> Upgraded:
        """Carry an older store to today's revision, whole or not at all, backed up before."""
        from calib.store.maintenance.upgrade import upgrade

        return upgrade(_place(location), backup, journal, dry_run=dry_run)

    @staticmethod
    def back_up(location: str | Path | Location, path: Path) -> Backup:
        """Write the store, as it is at one moment, to a new file, which is a store itself."""
        from calib.store.maintenance.backup import back_up

        place = _place(location)
        require_file(place)
        database = Database(place, read_only=True)
        try:
            return back_up(database, path)
        finally:
            database.close()

    @staticmethod
    def backup_name(location: str | Path | Location, now: datetime) -> Path:
        """Where a backup goes if nobody says."""
        from calib.store.maintenance.backup import backup_name

        return backup_name(_place(location), now)

    @staticmethod
    def restore(
        location: str | Path | Location,
        path: Path,
        journal: Journal | None = None,
        *,
        dry_run: bool = False,
    ) -> Backup:
        """Make a store again from a backup, where no store is; a dry run only checks both."""
        from calib.store.maintenance.backup import checked_backup, refuse_store, restore

        place = _place(location)
        if dry_run:
            refuse_store(place)
            return checked_backup(path)
        return restore(place, path, journal)

    @staticmethod
    def check(location: str | Path | Location) -> list[Check]:
        """What is right and what is wrong with a store as a database."""
        from calib.store.maintenance.check import check

        return check(_place(location))

    @staticmethod
    def exists(location: str | Path | Location) -> bool:
        """Whether there is something: a file, or what a server can be asked."""
        place = _place(location)
        return place.path is None or existing_file(place)

    @staticmethod
    def environment(location: str | Path | Location, now: datetime) -> list[Check]:
        """Where a store lies, what this user may do there, and what the clocks say."""
        from calib.store.maintenance.environment import environment

        return environment(_place(location), now)


@retry_read
def _revision(database: Database) -> StoreRevision:
    from calib.model.store.backup import StoreRevision

    found = schema.revision_at(database)
    if found is None:
        return StoreRevision(None)
    with database.reading() as connection:
        return StoreRevision(found, *admitted_by(connection, found))


def _place(location: str | Path | Location) -> Location:
    return location if isinstance(location, Location) else Location.parse(location)
