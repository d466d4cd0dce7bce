"""Privileges of roles on a Postgres server, by what a role does with the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from calib.config.location import Location
from calib.errors import InputError, StoreReadOnlyError
from calib.model.store.backup import StoreRole
from calib.store.database.database import Database
from calib.store.schema import revision
from calib.store.schema.tables import METADATA

_LOG = ("deed", "entry", "binding")
"""Tables to which every change adds a row."""
_SUMMARIES = ("dataset", "artifact", "summary", "summary_content")
INSERTS: Mapping[StoreRole, Sequence[str]] = {
    StoreRole.READER: (),
    StoreRole.APPLIER: (*_LOG, "application"),
    StoreRole.CONTRIBUTOR: (*_LOG, *_SUMMARIES),
    StoreRole.DERIVER: (
        *_LOG,
        *_SUMMARIES,
        "detector",
        "layout",
        "calibration",
        "calibration_dataset",
        "calibration_summary",
        "panel",
        "provenance",
    ),
    StoreRole.CERTIFIER: (
        *_LOG,
        "certification",
        "withdrawal",
        "placement",
        "store_rule",
        "detector_edit",
        "retirement",
        "relabelling",
    ),
    StoreRole.ANCHOR: (*_LOG, "anchored_checkpoint"),
    StoreRole.ADMIN: tuple(sorted(METADATA.tables)),
}
"""The tables into which each role inserts rows; nobody but the owner may change or delete any."""
_VERSION = revision.VERSION_TABLE
_NO_ROLE = "42704"
_REFUSED = "42501"


def grant_statements(role: str, kind: StoreRole, schema: str = "public") -> tuple[str, ...]:
    """The SQL that gives a role what it needs."""
    who, where = _quoted(role), _quoted(schema)
    every = ", ".join(f"{where}.{name}" for name in (*sorted(METADATA.tables), _VERSION))
    statements = [f"GRANT USAGE ON SCHEMA {where} TO {who}", f"GRANT SELECT ON {every} TO {who}"]
    if INSERTS[kind]:
        tables = ", ".join(f"{where}.{name}" for name in INSERTS[kind])
        statements.append(f"GRANT INSERT ON {tables} TO {who}")
    return tuple(statements)


def grant(location: Location, role: str, kind: StoreRole) -> tuple[str, ...]:
    """Give a role of the server what it needs, in one transaction; returns the SQL.

    Raises ``InputError`` for a file (``not-a-server``) and an unknown role (``unknown-role``), and
    ``StoreReadOnlyError`` (``not-owner``) unless this user owns the tables.
    """
    if location.path is not None:
        raise InputError(
            "not-a-server",
            "a store in a file has no roles; its permissions are those of the file.",
            place=location.shown,
            remedy="chmod and chgrp set who may read and write the file and its folder.",
        )
    database = Database(location)
    try:
        revision.check_revision(revision.revision_at(database), location)
        with database.writing() as connection:
            schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar())
            statements = grant_statements(role, kind, schema)
            try:
                for statement in statements:
                    connection.exec_driver_sql(statement.replace("%", "%%"))
            except DBAPIError as error:
                raise _refused(error, location, role) or error from None
            # Without grant options the server only warns.
            if not all(_has(connection, role, schema, kind)):
                raise _not_owner(location)
        return statements
    finally:
        database.close()


def _has(connection: Connection, role: str, schema: str, kind: StoreRole) -> Iterator[bool]:
    """Whether a role has each privilege that it was to get."""
    wanted = [("SELECT", name) for name in (*METADATA.tables, _VERSION)]
    wanted += [("INSERT", name) for name in INSERTS[kind]]
    asked = text("SELECT has_table_privilege(:role, :name, :what)")
    for what, name in wanted:
        table = f"{_quoted(schema)}.{name}"
        yield bool(connection.execute(asked, {"role": role, "name": table, "what": what}).scalar())


def _refused(error: DBAPIError, location: Location, role: str) -> Exception | None:
    state = getattr(error.orig, "sqlstate", None)
    if state == _NO_ROLE:
        return InputError(
            "unknown-role",
            f"the server has no role {role}.",
            place=location.shown,
            remedy=f"an administrator of the server creates it: CREATE ROLE {_quoted(role)} LOGIN.",
        )
    if state == _REFUSED:
        return _not_owner(location)
    return None


def _not_owner(location: Location) -> StoreReadOnlyError:
    return StoreReadOnlyError(
        "not-owner",
        "only the owner of the store's tables can grant privileges on them.",
        place=location.shown,
        remedy="use the address of the role that created the store.",
    )


def _quoted(name: str) -> str:
    if not name or "\0" in name:
        raise InputError("bad-role", "the name of a role cannot be empty.")
    return '"' + name.replace('"', '""') + '"'
