"""Recording which older programs may use a store; ``calib.store.schema.compatibility`` reads it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_TABLE = "calib_revision"


def admit(revision: str, *, oldest_reader: str, oldest_writer: str) -> None:
    """Record, as the last step of the upgrade to ``revision``, which programs may use the store.

    Programs that know the revision ``oldest_reader`` may read it; those that know
    ``oldest_writer`` may write it.
    """
    op.get_bind().execute(
        sa.text(
            f"UPDATE {_TABLE} SET admits_at = :revision, oldest_reader = :reader, "  # noqa: S608
            "oldest_writer = :writer"
        ),
        {"revision": revision, "reader": oldest_reader, "writer": oldest_writer},
    )
