"""Run the migrations on the connection that ``calib.store.schema.revision`` passes.

The connection is in a transaction and has foreign keys off (on SQLite a batch change would cascade
deletes through them); the caller checks them afterwards and commits.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from calib.errors import CalibError

_GIVEN = context.config.attributes
_CONNECTION = _GIVEN.get("connection")
if not isinstance(_CONNECTION, Connection):
    raise CalibError(
        "no-connection",
        "the migrations are run by calib.store.schema.revision, not by the alembic command.",
    )
context.configure(connection=_CONNECTION, **_GIVEN["configure"])
with context.begin_transaction():
    context.run_migrations()
