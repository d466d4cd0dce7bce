"""Placements of detectors at beamlines.

Why: a detector moves between beamlines and its calibrations move with it. So its beamline is a
dated record of its own, and takes no part in the identity or the resolution of a calibration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import instant, position

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``placement``."""
    op.create_table(
        "placement",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("beamline", sa.Text(), nullable=False),
        sa.Column("placed_from", instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_placement"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_placement_position"),
        sa.ForeignKeyConstraint(["detector"], ["detector.position"], name="fk_placement_detector"),
    )
    op.create_index("ix_placement_detector", "placement", ["detector"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON placement "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER placement_no_{change.lower()} BEFORE {change} ON placement "
            "BEGIN SELECT RAISE(ABORT, 'rows of placement are only ever added'); END"
        )


def downgrade() -> None:
    """Drop the table and its triggers."""
    op.drop_index("ix_placement_detector", "placement")
    op.drop_table("placement")
