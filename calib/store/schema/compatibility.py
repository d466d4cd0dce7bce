"""Compatibility of a newer store with older programs, for reading and for writing.

Migrations record it in the revision table: at revision ``admits_at``, programs that know the
revision ``oldest_reader`` may read the store, those that know ``oldest_writer`` may write it. If a
migration records nothing, only programs that know its own revision may use the store.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from calib.config.location import Location
from calib.errors import InputError, StoreReadOnlyError
from calib.store.database.database import Database
from calib.store.database.retry import retry_read
from calib.store.schema import revision

_COLUMNS = ("admits_at", "oldest_reader", "oldest_writer")


@retry_read
def admit_to(database: Database) -> None:
    """Check that this program can read a store that was just opened, and set what it may write.

    Raises ``InputError`` (``no-store``, ``store-older``, ``store-newer``) if it cannot read the
    store. If it may not write it, also after an upgrade by another program, writes are refused
    with ``StoreReadOnlyError`` (``store-newer``).
    """
    location = database.location
    try:
        with database.reading() as connection:
            found = revision.revision_of(connection)
            if not may_write(connection, found, location):
                database.refusal = _only_read(found, location)
    except InputError as error:
        raise revision.with_place(error, location) from None
    database.before_write = _before_write


def may_write(connection: Connection, found: str | None, location: Location) -> bool:
    """Whether this program may write a store of that revision; False if it may only read it.

    Raises ``InputError`` if it may do neither.
    """
    if found is None or found in revision.REVISIONS:
        revision.check_revision(found, location)
        return True
    reader, writer = admitted_by(connection, found)
    if writer not in revision.REVISIONS and reader not in revision.REVISIONS:
        revision.check_revision(found, location)
    return writer in revision.REVISIONS


def admitted_by(connection: Connection, found: str) -> tuple[str | None, str | None]:
    """The revisions that a program must know to read and to write the store; None if the store
    does not record them for its revision."""
    columns = {column["name"] for column in inspect(connection).get_columns(revision.VERSION_TABLE)}
    if not columns.issuperset(_COLUMNS):
        return None, None
    row = connection.execute(
        text(f"SELECT {', '.join(_COLUMNS)} FROM {revision.VERSION_TABLE}")  # noqa: S608
    ).one()
    return (row.oldest_reader, row.oldest_writer) if row.admits_at == found else (None, None)


def _before_write(connection: Connection, location: Location) -> None:
    """Refuse to write a store that was upgraded since it was opened."""
    found = connection.execute(text(f"SELECT version_num FROM {revision.VERSION_TABLE}")).scalar()  # noqa: S608
    if found != revision.HEAD and not may_write(connection, found, location):
        raise _only_read(found, location)


def _only_read(found: str | None, location: Location) -> StoreReadOnlyError:
    return StoreReadOnlyError(
        "store-newer",
        f"the store is at revision {found}, which this program (up to {revision.HEAD}) may read, "
        "but not write.",
        place=location.shown,
        remedy="upgrade calib: pip install --upgrade calib-metrology.",
    )
