"""Applications of calibrations to data.

Why: it must be possible to find the files processed with a calibration, and the calibration of a
file, also if the file was made by a user without write access whose receipt is recorded later,
perhaps twice.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import instant, position

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``application``."""
    op.create_table(
        "application",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("calibration", position(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("input_sha256", sa.Text(), nullable=False),
        sa.Column("output_sha256", sa.Text(), nullable=False),
        sa.Column("output_names", sa.Text(), nullable=False),
        sa.Column("data_time", instant(), nullable=True),
        sa.Column("distance_mm", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("applied_at", instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_application"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_application_position"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_application_calibration"
        ),
        sa.UniqueConstraint("id", name="uq_application_id"),
    )
    op.create_index("ix_application_calibration", "application", ["calibration"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_index("ix_application_calibration", "application")
    op.drop_table("application")
