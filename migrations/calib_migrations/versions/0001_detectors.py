"""Detectors, and the actor and time of every change.

Why: everything in the store belongs to one physical detector, and every row states who wrote it
and when. The table ``deed`` has both and defines the order of the store: positions are dense and
times increase with them, since writes are serialised.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import instant, position

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``deed`` and ``detector``."""
    op.create_table(
        "deed",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("recorded_at", instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_deed"),
        sa.UniqueConstraint("recorded_at", name="uq_deed_recorded_at"),
    )
    op.create_table(
        "detector",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("layout_id", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_detector"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_detector_position"),
        sa.UniqueConstraint("serial", name="uq_detector_serial"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("detector")
    op.drop_table("deed")
