"""Carrying an older store to today's revision: backed up first, then whole or not at all."""

from __future__ import annotations

from pathlib import Path

from calib.model.backup import Upgraded
from calib.store import schema
from calib.store.backup import back_up
from calib.store.database import Database, require_file
from calib.store.journal import Journal
from calib.store.location import Location


def upgrade(
    location: Location,
    backup: Path | None,
    journal: Journal | None = None,
    *,
    dry_run: bool = False,
) -> Upgraded:
    """Write a backup (unless None is given), then migrate; a dry run only looks.

    Nobody can write between the two. Raises ``InputError`` where there is no store, or a newer one.
    """
    require_file(location)
    database = Database(location, foreign_keys=False, journal=journal)
    try:
        found = _known(schema.revision_at(database), location)
        if dry_run:
            return Upgraded(found, schema.HEAD, None)
        with database.writing() as connection:
            found = _known(schema.revision_of(connection), location)
            if found == schema.HEAD:
                return Upgraded(found, found, None)
            made = None if backup is None else back_up(database, backup)
            schema.migrate_within(connection, location)
            return Upgraded(found, schema.HEAD, made)
    finally:
        database.close()


def _known(found: str | None, location: Location) -> str:
    if found is None or found not in schema.REVISIONS:
        schema.check_revision(found, location)
    return str(found)
