"""Compatibility of a store with older programs, recorded beside its revision.

Why: programs of different versions use one store. So far older programs refused every newer store,
since they could not know whether they would misread it or write incomplete records. From this
revision on a migration that only adds tables or columns can let older programs read, or even write,
the store. If a migration records nothing, older programs are refused.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = ("admits_at", "oldest_reader", "oldest_writer")


def upgrade() -> None:
    """Add three columns to ``calib_revision``."""
    for name in COLUMNS:
        op.add_column("calib_revision", sa.Column(name, sa.Text(), nullable=True))
    admit(revision, oldest_reader=revision, oldest_writer=revision)


def downgrade() -> None:
    """Drop the columns."""
    for name in reversed(COLUMNS):
        op.drop_column("calib_revision", name)
