"""Schema revisions: those this program knows, that of a store, and migration between them.

Tables are created by the migrations in ``calib_migrations`` only; an upgrade is one transaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.errors import InputError, IntegrityError, StoreError
from calib.store.database.database import Database, existing_file
from calib.store.database.draft import draft_file
from calib.store.database.errors import not_unicode, store_failure
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.database.sharing import is_shared, share, share_file
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
    "0014",
    "0015",
    "0016",
)
"""Every revision that this program knows, in order (a test compares them with the migrations)."""
HEAD = REVISIONS[-1]
"""The revision of the stores that this program creates."""
VERSION_TABLE = "calib_revision"
"""The table with the revision of a store; a database that has it is a store of calib."""


def alembic_options() -> dict[str, Any]:
    """Options of Alembic's context, for migrations and for comparing a store with the tables."""
    return {
        "target_metadata": METADATA,
        "version_table": VERSION_TABLE,
        "transactional_ddl": True,
        "compare_type": True,
    }


def revision_of(connection: Connection) -> str | None:
    """The revision of a store; None if the database is empty.

    Raises ``InputError`` (``not-a-store``) for an SQLite file with other tables.
    """
    names = inspect(connection).get_table_names()
    if VERSION_TABLE in names:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
        return None if found is None else str(found)
    if names and connection.dialect.name == "sqlite":
        raise InputError(
            "not-a-store",
            f"this database has tables of another program ({', '.join(sorted(names)[:3])}).",
            remedy="choose another file with --store PATH.",
        )
    return None


def check_revision(found: str | None, location: Location) -> None:
    """Raise ``InputError`` unless the revision is the one that this program uses."""
    if found == HEAD:
        return
    if found is None:
        raise InputError(
            "no-store",
            "this database has no store yet.",
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
    """The revision of a store; None if the database is empty."""
    try:
        with database.reading() as connection:
            return revision_of(connection)
    except InputError as error:
        raise with_place(error, database.location) from None


def with_place(error: InputError, location: Location) -> InputError:
    """The error with the location of the store as its place, unless it has one."""
    if error.place:
        return error
    return InputError(error.code, error.problem, place=location.shown, remedy=error.remedy)


def create(location: Location, journal: Journal | None = None, group: str | None = None) -> bool:
    """Create an empty store; False if a store of the current revision exists already.

    With ``group`` its folder and its files are shared with this group, also if it exists.
    """
    path = location.path
    if group is not None:
        share(location, group)
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
    """Raise ``InputError`` (``not-unicode``) unless the encoding of a database is UTF-8."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise not_unicode(location, f"the database stores text as {encoding}, not as UTF8")


def _create_file(location: Location, path: Path, journal: Journal | None) -> bool:
    try:
        with draft_file(path) as draft:
            if is_shared(path.parent):
                share_file(draft)
            database = Database(location, foreign_keys=False, draft=draft, journal=journal)
            try:
                migrate(database)
            finally:
                database.close()  # leaves a single file in any journal mode
    except FileExistsError:
        return False
    return True


def migrate(database: Database, target: str = "head") -> None:
    """Upgrade or downgrade the store to a revision, in one transaction.

    The database must have been opened with foreign keys off. Raises ``IntegrityError`` if foreign
    keys would point to missing rows. After any failure the store is unchanged.
    """
    with database.writing() as connection:
        migrate_within(connection, database.location, target)


def migrate_within(connection: Connection, location: Location, target: str = "head") -> None:
    """``migrate`` inside a transaction that has begun."""
    try:
        migrate_on(connection, target)
    except DBAPIError as error:
        # Locks, full disks and lost servers have errors of their own.
        raise store_failure(error, location, writing=True) or StoreError(
            "migration-failed",
            f"the migration to revision {target} failed and the store is unchanged: {error.orig}.",
            place=location.shown,
            remedy="report this with the output of calib doctor.",
        ) from None
    broken = dangling_references(connection)
    if broken:
        raise IntegrityError(
            "dangling-rows",
            f"rows of the store refer to rows that are missing ({broken}); it is unchanged.",
            place=location.shown,
            remedy="restore the store from a backup, then upgrade it.",
        )


def migrate_on(connection: Connection, target: str) -> None:
    """Run the migrations to ``target`` in the transaction of the connection."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["configure"] = alembic_options()
    order = [*REVISIONS]
    goal = HEAD if target == "head" else target
    current = revision_of(connection)
    down = goal == "base" or (current in order and order.index(goal) < order.index(current))
    if down:
        command.downgrade(config, goal)
    else:
        command.upgrade(config, goal)


def alembic_config() -> Any:
    """Configuration of Alembic, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "calib_migrations:")
    config.set_main_option("path_separator", "os")
    return config


def differences(connection: Connection) -> list[str]:
    """Differences between a store of the current revision and the tables of this program."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = alembic_options()
    del options["transactional_ddl"]
    context = MigrationContext.configure(connection, opts=options)
    found = []
    for difference in compare_metadata(context, METADATA):
        # Changes of one column come as a list.
        change = difference[0] if isinstance(difference, list) else difference
        # A shared database may have tables of other programs.
        if change[0] != "remove_table":
            found.append(str(change[0]).replace("_", " "))
    return sorted(set(found))


def check_whole(connection: Connection, location: Location) -> None:
    """Raise ``IntegrityError`` unless an SQLite file passes its checks, foreign keys included."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise IntegrityError(
            "store-broken",
            f"the database file is damaged ({found[0]}).",
            place=location.shown,
            remedy="restore the store from a backup.",
        )
    broken = dangling_references(connection)
    if broken:
        raise IntegrityError(
            "dangling-rows",
            f"rows of the store refer to rows that are missing ({broken}).",
            place=location.shown,
            remedy="restore the store from a backup.",
        )


def dangling_references(connection: Connection) -> str:
    """The tables whose foreign keys point to missing rows; empty if there are none (SQLite only:
    on Postgres foreign keys are always enforced)."""
    if connection.dialect.name != "sqlite":
        return ""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    return ", ".join(sorted({f"{row[0]} to {row[2]}" for row in rows}))
