"""Backup and restore.

A backup is an SQLite store, whichever database it was made from, so that it can be opened, verified
and restored to either database.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from calib.config.location import Location
from calib.errors import InputError, IntegrityError, MissingFileError
from calib.model.store.backup import Backup
from calib.store.database.database import Database, existing_file
from calib.store.database.draft import draft_file
from calib.store.database.engines import sqlite_connection
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.database.sharing import is_shared, share_file
from calib.store.maintenance.copy import copy_rows
from calib.store.schema import revision as schema

_CHUNK = 1 << 20


def backup_name(location: Location, now: datetime) -> Path:
    """The default path of a backup: beside the store's file, or for a server in this folder."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    if location.path is not None:
        return location.path.with_name(f"{location.path.stem}-{stamp}.backup.sqlite")
    return Path(f"{make_url(location.url).database or 'calib'}-{stamp}.backup.sqlite").absolute()


@retry_read
def back_up(database: Database, path: Path) -> Backup:
    """Write a consistent copy of a store of any revision to a new file.

    Its SHA-256 is written to ``PATH.sha256`` in the format of ``sha256sum``. Readers and, with a
    write-ahead log or Postgres, writers are not blocked. Raises ``InputError`` (``output-exists``,
    ``output-is-store``, ``no-store``).
    """
    checksum = checksum_of(path)
    for output in (path, checksum):
        if os.path.lexists(output):
            raise _exists(output)
    if schema.revision_at(database) is None:
        schema.check_revision(None, database.location)
    place = Location(path, "")
    try:
        # In this order, so that a copy that is not consistent is never renamed to its final name.
        with draft_file(path) as draft, database.reading() as connection:
            revision = schema.revision_of(connection)
            copy = Database(place, foreign_keys=False, draft=draft, journal=Journal.ROLLBACK)
            try:
                _copy_to(connection, copy, str(revision))
            finally:
                copy.close()
            digest = _sha256(draft)
            _sync(draft)
    except FileExistsError:
        raise _exists(path) from None
    try:
        with draft_file(checksum) as draft:
            draft.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
            _sync(draft)
    except FileExistsError:
        raise _exists(checksum) from None
    return Backup(path, str(revision), digest, path.stat().st_size)


def restore(location: Location, path: Path, journal: Journal | None = None) -> Backup:
    """Create a store from a backup, in a new file or an empty database, in one transaction.

    The store has the revision of the backup. Raises ``InputError`` (``store-exists``,
    ``store-newer``, ``not-a-store``) and ``IntegrityError`` where the backup was changed.
    """
    checked = checked_backup(path)
    source = Database(Location(path.absolute(), ""), read_only=True)
    try:
        with source.reading() as connection:
            if location.path is not None:
                _restore_file(connection, location, location.path, journal)
            else:
                _restore_server(connection, location, checked.revision)
    finally:
        source.close()
    return checked


def checked_backup(path: Path) -> Backup:
    """Check that a backup is intact and of a revision that this program knows."""
    place = Location(path.absolute(), "")
    if not existing_file(place):
        raise MissingFileError("no-file", "there is no such file.", place=str(path))
    digest = _sha256(path)
    checksum = checksum_of(path)
    if checksum.exists() and checksum.read_text(encoding="utf-8").split()[:1] != [digest]:
        raise IntegrityError(
            "changed-backup",
            f"its SHA-256 is not the one in {checksum.name}.",
            place=str(path),
            remedy="use another backup.",
        )
    source = Database(place, read_only=True)
    try:
        revision = schema.revision_at(source)
        if revision not in schema.REVISIONS:
            schema.check_revision(revision, place)
        with source.reading() as connection:
            schema.check_whole(connection, place)
    finally:
        source.close()
    return Backup(path, str(revision), digest, path.stat().st_size)


def checksum_of(path: Path) -> Path:
    """The file with the SHA-256 of a backup."""
    return path.with_name(f"{path.name}.sha256")


def refuse_store(location: Location) -> None:
    """Raise ``InputError`` (``store-exists``) where a store exists already."""
    if location.path is not None:
        if existing_file(location):
            raise _store_exists(location)
        return
    database = Database(location, read_only=True)
    try:
        if schema.revision_at(database) is not None:
            raise _store_exists(location)
    finally:
        database.close()


def _copy_to(connection: Connection, copy: Database, revision: str) -> None:
    if connection.dialect.name == "sqlite":
        with copy.connecting() as target:
            file = sqlite_connection(target)
            sqlite_connection(connection).backup(file)
            file.execute("PRAGMA journal_mode = DELETE")
    else:
        with copy.writing() as target:
            schema.migrate_on(target, revision)
            copy_rows(connection, target, schema.VERSION_TABLE)
    with copy.reading() as target:
        schema.check_whole(target, copy.location)


def _restore_file(
    connection: Connection, location: Location, path: Path, journal: Journal | None
) -> None:
    refuse_store(location)
    try:
        with draft_file(path) as draft:
            if is_shared(path.parent):
                share_file(draft)
            database = Database(location, foreign_keys=False, draft=draft, journal=journal)
            try:
                with database.connecting() as target:
                    sqlite_connection(connection).backup(sqlite_connection(target))
                with database.writing() as target:  # sets the journal mode
                    schema.check_whole(target, location)
            finally:
                database.close()
            _sync(draft)
    except FileExistsError:
        raise _store_exists(location) from None


def _restore_server(connection: Connection, location: Location, revision: str) -> None:
    database = Database(location)
    try:
        with database.writing() as target:
            if schema.revision_of(target) is not None:
                raise _store_exists(location)
            schema.require_unicode(target, location)
            schema.migrate_on(target, revision)
            copy_rows(connection, target, schema.VERSION_TABLE)
    finally:
        database.close()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


def _exists(path: Path) -> InputError:
    return InputError(
        "output-exists",
        "the output exists already; a backup is never overwritten.",
        place=str(path),
        remedy="another output file.",
    )


def _store_exists(location: Location) -> InputError:
    return InputError(
        "store-exists",
        "there is a store here already; a restore never replaces one.",
        place=location.shown,
        remedy="move it away first, or restore to another place with --store.",
    )
