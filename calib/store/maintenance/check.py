"""The checks of `calib db check`: the file is intact and the schema as the migrations made it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from calib.config.location import Location
from calib.errors import CalibError
from calib.model.store.backup import Check
from calib.store.database.database import Database, require_file
from calib.store.database.retry import retry_read
from calib.store.maintenance.audit import audit_store
from calib.store.schema import revision
from calib.store.schema.compatibility import may_write
from calib.store.schema.objects import SCHEMA, protects, schema_findings
from calib.store.schema.triggers import append_only_tables, missing_triggers

_RESTORE = "restore the store from a backup"
_MOST_SHOWN = 5
"""How many differences of the schema are shown."""


@retry_read
def check(location: Location) -> list[Check]:
    """Check a store of any revision as a database.

    Raises ``CalibError`` where there is none, or it cannot be read.
    """
    require_file(location)
    database = Database(location, read_only=True)
    try:
        found = revision.revision_at(database)
        if found is None:
            revision.check_revision(found, location)
        with database.reading() as connection:
            checks = [_revision(connection, found, location)]
            checks += _file(connection, location)
            if found == revision.HEAD:
                checks += [_tables(connection), _triggers(connection)]
                checks += [_objects(connection), _log(connection)]
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
    text = f"{found}, newer than this program's {revision.HEAD}, which may read it"
    if may:
        return Check("revision", True, f"{text} and write it.")
    return Check(
        "revision",
        False,
        f"{text} but not write it.",
        "upgrade calib: pip install --upgrade calib-metrology",
    )


def _file(connection: Connection, location: Location) -> Iterator[Check]:
    if connection.dialect.name != "sqlite":
        return
    try:
        revision.check_whole(connection, location)
    except CalibError as error:
        yield Check("file", False, error.problem, error.remedy)
    else:
        yield Check("file", True, "intact, and every reference between rows is valid.")


def _tables(connection: Connection) -> Check:
    differences = revision.differences(connection)
    if differences:
        return Check(
            "tables",
            False,
            f"they differ from what the migrations made ({', '.join(differences)}).",
            _RESTORE,
        )
    return Check("tables", True, "as the migrations made them.")


def _triggers(connection: Connection) -> Check:
    missing = missing_triggers(connection)
    if missing:
        return Check(
            "triggers",
            False,
            f"the triggers that protect rows of {', '.join(missing)} from changes are missing.",
            _RESTORE,
        )
    n_tables = len(append_only_tables())
    return Check("triggers", True, f"rows of {n_tables} tables cannot be changed or deleted.")


def _objects(connection: Connection) -> Check:
    # Missing protection against changes is a check of its own.
    found = [one for one in schema_findings(connection) if not protects(one)]
    if found:
        shown = "; ".join(f"{one.table}: {one.problem}" for one in found[:_MOST_SHOWN])
        more = len(found) - _MOST_SHOWN
        return Check(
            "schema",
            False,
            shown + (f"; and {more} more." if more > 0 else "."),
            "drop what calib did not make, then run calib audit verify",
        )
    return Check("schema", True, "nothing was added to the tables, and nothing is missing.")


def _log(connection: Connection) -> Check:
    audit = audit_store(connection)
    findings = [one for one in audit.findings if one.row != SCHEMA]
    if findings:
        first = findings[0]
        return Check(
            "log",
            False,
            f"{len(findings)} differences between the store and its log; the first: "
            f"{first.table} {first.row}: {first.problem}.",
            _RESTORE,
        )
    return Check("log", True, f"{audit.n_entries} entries and {audit.n_rows} rows are as recorded.")
