"""Run the migrations on the connection that ``calib.store.schema.revision`` hands over.

That connection stands in an open transaction and has foreign keys off (on SQLite a batch change
would cascade deletes through them); the schema checks them afterwards and commits.
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
        "the migrations are run by calib.store.schema.revision, not by Alembic's own command.",
    )
context.configure(connection=_CONNECTION, **_GIVEN["configure"])
with context.begin_transaction():
    context.run_migrations()
