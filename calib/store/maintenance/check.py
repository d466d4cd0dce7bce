"""The checks of `calib db check`: is the database sound, and as the migrations made it?"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from calib.config.location import Location
from calib.errors import CalibError
from calib.model.store.backup import Check
from calib.store.database.database import Database, require_file
from calib.store.database.retry import retry_read
from calib.store.maintenance.audit import audited
from calib.store.schema import revision
from calib.store.schema.compatibility import may_write
from calib.store.schema.triggers import append_only_tables, missing_triggers

_RESTORE = "restore the store from a backup"


@retry_read
def check(location: Location) -> list[Check]:
    """What is right and what is wrong with a store of any revision.

    Raises ``CalibError`` where there is none, or it cannot be asked.
    """
    require_file(location)
    database = Database(location, read_only=True)
    try:
        found = revision.revision_at(database)
        if found is None:
            revision.check_revision(found, location)
        with database.reading() as connection:
            checks = [_revision(connection, found, location)]
            checks += _soundness(connection, location)
            if found == revision.HEAD:
                checks += [_tables(connection), _triggers(connection), _log(connection)]
        return checks
    finally:
        database.close()


def _revision(connection: Connection, found: str | None, location: Location) -> Check:
    try:
        may = may_write(connection, found, location)
    except CalibError as error:
        return Check("revision", False, error.problem, error.remedy)
    if found == revision.HEAD:
        return Check("revision", True, f"{found}, the one that this program writes.")
    said = f"{found}, newer than this program's {revision.HEAD}, which may read it"
    if may:
        return Check("revision", True, f"{said} and write it.")
    return Check(
        "revision",
        False,
        f"{said} and not write it.",
        "upgrade calib: pip install --upgrade calib-metrology",
    )


def _soundness(connection: Connection, location: Location) -> Iterator[Check]:
    if connection.dialect.name != "sqlite":
        return
    try:
        revision.check_whole(connection, location)
    except CalibError as error:
        yield Check("file", False, error.problem, error.remedy)
    else:
        yield Check("file", True, "sound, and every row refers to rows that are there.")


def _tables(connection: Connection) -> Check:
    differences = revision.differences(connection)
    if differences:
        return Check(
            "tables",
            False,
            f"they are not as the migrations made them ({', '.join(differences)}).",
            _RESTORE,
        )
    return Check("tables", True, "as the migrations made them.")


def _triggers(connection: Connection) -> Check:
    missing = missing_triggers(connection)
    if missing:
        return Check(
            "triggers",
            False,
            f"nothing keeps rows of {', '.join(missing)} from being changed.",
            _RESTORE,
        )
    n_tables = len(append_only_tables())
    return Check("triggers", True, f"rows of {n_tables} tables are only ever added.")


def _log(connection: Connection) -> Check:
    audit = audited(connection)
    if audit.findings:
        first = audit.findings[0]
        return Check(
            "log",
            False,
            f"{len(audit.findings)} things are not as they were recorded; the first: "
            f"{first.table} {first.row}: {first.problem}.",
            _RESTORE,
        )
    return Check(
        "log", True, f"{audit.n_entries} entries and {audit.n_rows} rows are as they were recorded."
    )
