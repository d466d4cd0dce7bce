"""Log entries of other stores, loaded from bundles.

Why: a detector that comes from another facility brings its history. Certifications of the other
facility must neither be in force here nor change what this store answered in the past, but they
must be visible, together with the log entries that prove them. They are stored separately, under
their original hashes, so that loading a bundle twice adds nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.kinds import instant, position

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``origin``."""
    op.create_table(
        "origin",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("origin_position", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", instant(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contents", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("calibration_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_origin"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_origin_position"),
        sa.ForeignKeyConstraint(["detector"], ["detector.position"], name="fk_origin_detector"),
    )
    op.create_index("ix_origin_position", "origin", ["position"])
    op.create_index("ix_origin_detector", "origin", ["detector"])
    op.create_index("ix_origin_calibration_id", "origin", ["calibration_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON origin "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER origin_no_{change.lower()} BEFORE {change} ON origin "
                "BEGIN SELECT RAISE(ABORT, 'rows of origin are only ever added'); END"
            )
    # It only adds a table that nothing else depends on.
    admit(revision, oldest_reader="0010", oldest_writer="0011")


def downgrade() -> None:
    """Drop the table and its triggers."""
    op.drop_index("ix_origin_calibration_id", "origin")
    op.drop_index("ix_origin_detector", "origin")
    op.drop_index("ix_origin_position", "origin")
    op.drop_table("origin")
