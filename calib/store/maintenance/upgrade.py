"""Upgrade of an older store to the current revision: a backup, then one transaction."""

from __future__ import annotations

from pathlib import Path

from calib.config.location import Location
from calib.model.store.backup import Upgraded
from calib.store.database.database import Database, require_file
from calib.store.database.journal import Journal
from calib.store.maintenance.backup import back_up
from calib.store.schema import revision


def upgrade(
    location: Location,
    backup: Path | None,
    journal: Journal | None = None,
    *,
    dry_run: bool = False,
) -> Upgraded:
    """Write a backup (unless None is given), then migrate; a dry run changes nothing.

    No other program can write between the two. Raises ``InputError`` where there is no store, or a
    newer one.
    """
    require_file(location)
    database = Database(location, foreign_keys=False, journal=journal)
    try:
        found = _known_revision(revision.revision_at(database), location)
        if dry_run:
            return Upgraded(found, revision.HEAD, None)
        with database.writing() as connection:
            found = _known_revision(revision.revision_of(connection), location)
            if found == revision.HEAD:
                return Upgraded(found, found, None)
            made = None if backup is None else back_up(database, backup)
            revision.migrate_within(connection, location)
            return Upgraded(found, revision.HEAD, made)
    finally:
        database.close()


def _known_revision(found: str | None, location: Location) -> str:
    if found is None or found not in revision.REVISIONS:
        revision.check_revision(found, location)
    return str(found)
