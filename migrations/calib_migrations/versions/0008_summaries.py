"""Summaries of datasets, and the calibrations that use them.

Why: the summary of a dataset (an artifact) takes part in later calibrations without reading its
files again. The summaries of a calibration, and the calibrations of a summary, must both be found.
Existing calibrations have no summaries.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import position

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("summary", "calibration_summary")


def upgrade() -> None:
    """Create ``summary`` and ``calibration_summary``."""
    op.create_table(
        "summary",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_summary"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_summary_position"),
        sa.ForeignKeyConstraint(["artifact"], ["artifact.sha256"], name="fk_summary_artifact"),
    )
    op.create_index("ix_summary_position", "summary", ["position"])
    op.create_table(
        "calibration_summary",
        sa.Column("calibration", position(), nullable=False, autoincrement=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("calibration", "ordinal", name="pk_calibration_summary"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_calibration_summary_calibration"
        ),
        sa.ForeignKeyConstraint(["summary"], ["summary.id"], name="fk_calibration_summary_summary"),
    )
    op.create_index("ix_calibration_summary_summary", "calibration_summary", ["summary"])
    for table in TABLES:
        _only_added(table)


def downgrade() -> None:
    """Drop the tables and their triggers."""
    op.drop_index("ix_calibration_summary_summary", "calibration_summary")
    op.drop_table("calibration_summary")
    op.drop_index("ix_summary_position", "summary")
    op.drop_table("summary")


def _only_added(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
        )
