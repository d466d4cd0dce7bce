"""Certifications and withdrawals.

Why: a named person certifies a calibration for times and distances, and may withdraw that later.
Rows are added for both and none is changed, so that the state at any earlier time can be read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import instant, position

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``certification`` and ``withdrawal``."""
    op.create_table(
        "certification",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("calibration", position(), nullable=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("valid_from", instant(), nullable=False),
        sa.Column("valid_to", instant(), nullable=True),
        sa.Column("distance_min_mm", sa.Double(), nullable=False),
        sa.Column("distance_max_mm", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("override_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_certification"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_certification_position"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_certification_calibration"
        ),
        sa.ForeignKeyConstraint(
            ["detector"], ["detector.position"], name="fk_certification_detector"
        ),
    )
    op.create_index("ix_certification_calibration", "certification", ["calibration"])
    op.create_index("ix_certification_detector_position", "certification", ["detector", "position"])
    op.create_table(
        "withdrawal",
        sa.Column("certification", position(), nullable=False, autoincrement=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("certification", name="pk_withdrawal"),
        sa.ForeignKeyConstraint(
            ["certification"], ["certification.position"], name="fk_withdrawal_certification"
        ),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_withdrawal_position"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("withdrawal")
    op.drop_index("ix_certification_detector_position", "certification")
    op.drop_index("ix_certification_calibration", "certification")
    op.drop_table("certification")
