"""Which older programs a store admits, beside its revision.

Why: programs of several ages work on one store. Until now an older one refused every newer store,
since it could not know whether it would misread it or write half of what belongs there. From here
on a migration which only adds can let older readers, or even writers, go on; one that says nothing
admits nobody older.
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
    """Drop them."""
    for name in reversed(COLUMNS):
        op.drop_column("calib_revision", name)
