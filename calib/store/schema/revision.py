"""The store's revision: what this program knows, what a store has, and the way between them.

Tables are only ever made by the migrations in ``calib_migrations``; an upgrade is one transaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.errors import InputError, IntegrityError, StoreError
from calib.store.database.database import Database, existing_file
from calib.store.database.draft import drafted
from calib.store.database.errors import store_failure, without_unicode
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.schema.tables import METADATA

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
)
"""Every revision that this program knows, in order (a test holds this to the migrations)."""
HEAD = REVISIONS[-1]
"""The revision that this program reads and writes."""
VERSION_TABLE = "calib_revision"
"""The table that says which revision a store has; with it a database is a store of calib."""


def configured() -> dict[str, Any]:
    """How Alembic is told of this store: for the migrations and for comparing with the tables."""
    return {
        "target_metadata": METADATA,
        "version_table": VERSION_TABLE,
        "transactional_ddl": True,
        "compare_type": True,
    }


def revision_of(connection: Connection) -> str | None:
    """The store's revision; None where the database is empty.

    Raises ``InputError`` (``not-a-store``) for a database of something else.
    """
    names = inspect(connection).get_table_names()
    if VERSION_TABLE in names:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
        return None if found is None else str(found)
    if names and connection.dialect.name == "sqlite":
        raise InputError(
            "not-a-store",
            f"this database holds other things ({', '.join(sorted(names)[:3])}), not calibrations.",
            remedy="name another file with --store PATH.",
        )
    return None


def check_revision(found: str | None, location: Location) -> None:
    """Raise ``InputError`` unless this program can work with a store of that revision."""
    if found == HEAD:
        return
    if found is None:
        raise InputError(
            "no-store",
            "this database holds no store yet.",
            place=location.shown,
            remedy=f"calib init {location.option}.",
        )
    if found in REVISIONS:
        raise InputError(
            "store-older",
            f"the store is at revision {found}, this program needs {HEAD}.",
            place=location.shown,
            remedy=f"calib db upgrade {location.option}.",
        )
    raise InputError(
        "store-newer",
        f"the store is at revision {found}, this program knows up to {HEAD}.",
        place=location.shown,
        remedy="upgrade calib: pip install --upgrade calib-metrology.",
    )


@retry_read
def revision_at(database: Database) -> str | None:
    """The store's revision; None where the database is empty."""
    try:
        with database.reading() as connection:
            return revision_of(connection)
    except InputError as error:
        raise placed(error, database.location) from None


def placed(error: InputError, location: Location) -> InputError:
    """The error, with the store as its place where it has none."""
    if error.place:
        return error
    return InputError(error.code, error.problem, place=location.shown, remedy=error.remedy)


def create(location: Location, journal: Journal | None = None) -> bool:
    """Make an empty store; False where one of today's revision is there already."""
    path = location.path
    if path is not None and not existing_file(location) and _create_file(location, path, journal):
        return True
    database = Database(location, foreign_keys=False, journal=journal)
    try:
        found = revision_at(database)
        if found is None:
            with database.reading() as connection:
                require_unicode(connection, location)
            migrate(database)
            return True
        check_revision(found, location)
        return False
    finally:
        database.close()


def require_unicode(connection: Connection, location: Location) -> None:
    """Raise ``InputError`` (``not-unicode``) where a database cannot hold every text."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise without_unicode(location, f"the database keeps text as {encoding}, not as UTF8")


def _create_file(location: Location, path: Path, journal: Journal | None) -> bool:
    try:
        with drafted(path) as draft:
            database = Database(location, foreign_keys=False, draft=draft, journal=journal)
            try:
                migrate(database)
            finally:
                database.close()  # which leaves one file, whatever the journal
    except FileExistsError:
        return False
    return True


def migrate(database: Database, target: str = "head") -> None:
    """Carry the store to a revision, up or down, in one transaction.

    The database must have been opened with foreign keys off. Raises ``IntegrityError`` where rows
    would be left that refer to nothing; then, as after any failure, nothing has changed.
    """
    with database.writing() as connection:
        migrate_within(connection, database.location, target)


def migrate_within(connection: Connection, location: Location, target: str = "head") -> None:
    """``migrate``, in a write that has begun."""
    try:
        migrate_on(connection, target)
    except DBAPIError as error:
        # Whatever the migration met: locks, full disks and lost servers are told as such.
        raise store_failure(error, location, writing=True) or StoreError(
            "migration-failed",
            f"the store could not be brought to revision {target} and is as it was: {error.orig}.",
            place=location.shown,
            remedy="please report this, with the store's revision.",
        ) from None
    broken = dangling(connection)
    if broken:
        raise IntegrityError(
            "dangling-rows",
            f"the store has rows that refer to nothing ({broken}); it is as it was.",
            place=location.shown,
            remedy="restore the store from a backup, then upgrade it.",
        )


def migrate_on(connection: Connection, target: str) -> None:
    """Run the migrations towards ``target`` inside the connection's transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["configure"] = configured()
    order = [*REVISIONS]
    goal = HEAD if target == "head" else target
    current = revision_of(connection)
    down = goal == "base" or (current in order and order.index(goal) < order.index(current))
    if down:
        command.downgrade(config, goal)
    else:
        command.upgrade(config, goal)


def alembic_config() -> Any:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "calib_migrations:")
    config.set_main_option("path_separator", "os")
    return config


def differences(connection: Connection) -> list[str]:
    """How a store of today's revision differs from the tables that this program knows; in words."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = configured()
    del options["transactional_ddl"]
    context = MigrationContext.configure(connection, opts=options)
    found = []
    for difference in compare_metadata(context, METADATA):
        # A change of a column comes as a list of changes.
        change = difference[0] if isinstance(difference, list) else difference
        # What else lies in a shared database is not ours.
        if change[0] != "remove_table":
            found.append(str(change[0]).replace("_", " "))
    return sorted(set(found))


def check_whole(connection: Connection, location: Location) -> None:
    """Raise ``IntegrityError`` unless an SQLite file is sound and its rows refer to rows."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise IntegrityError(
            "store-broken",
            f"the database file is damaged ({found[0]}).",
            place=location.shown,
            remedy="restore the store from a backup.",
        )
    broken = dangling(connection)
    if broken:
        raise IntegrityError(
            "dangling-rows",
            f"the store has rows that refer to nothing ({broken}).",
            place=location.shown,
            remedy="restore the store from a backup.",
        )


def dangling(connection: Connection) -> str:
    """In words, which rows refer to nothing; empty where there is none (SQLite only: on Postgres
    foreign keys are never off)."""
    if connection.dialect.name != "sqlite":
        return ""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    return ", ".join(sorted({f"{row[0]} to {row[2]}" for row in rows}))
