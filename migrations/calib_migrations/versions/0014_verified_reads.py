"""The bytes of summaries by format.

Why: a summary is read by this program for as long as the store exists, so its bytes may be kept in
another format than that of the file in which it was first recorded. What was recorded stays as it
is; a row here adds the same summary in a named format.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.kinds import position

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("summary_content",)


def upgrade() -> None:
    """Create ``summary_content``."""
    op.create_table(
        "summary_content",
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("summary", "format", name="pk_summary_content"),
        sa.ForeignKeyConstraint(["summary"], ["summary.id"], name="fk_summary_content_summary"),
        sa.ForeignKeyConstraint(
            ["position"], ["deed.position"], name="fk_summary_content_position"
        ),
    )
    op.create_index("ix_summary_content_position", "summary_content", ["position"])
    for table in TABLES:
        _append_only(table)
    # Older programs do not know what a newer one checks on every read: they may only read.
    admit(revision, oldest_reader="0010", oldest_writer=revision)


def downgrade() -> None:
    """Drop the table and its triggers."""
    op.drop_index("ix_summary_content_position", "summary_content")
    op.drop_table("summary_content")


def _append_only(table: str) -> None:
    """Refuse to change or delete rows of a table."""
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
