"""Bindings of log entries, an index for verified look-ups, and the bytes of summaries by format.

Why: a binding states in the log what an entry is about, the detector and the keys of its rows, so
that an entry in another detector's chain is recognised. A look-up verifies the certifications and
withdrawals on which its answer depends, and finds their entries by the index. On SQLite, where
INSERT OR REPLACE deletes rows without the triggers against deletion, and columns take values of any
type, further triggers refuse existing keys and values of other types. A summary may be kept in
another format than that of the file in which it was first recorded; that file stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.checked_rows import check_inserts, refuse_changes
from calib_migrations.kinds import position

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("binding", "summary_content")
KEYS = {
    "deed": ("position", "recorded_at"),
    "entry": ("position", "chain, ordinal"),
    "binding": ("position",),
    "detector": ("position", "serial"),
    "dataset": ("id", "rowid"),
    "artifact": ("sha256", "rowid"),
    "calibration": ("position", "id", "detector, version"),
    "calibration_dataset": ("calibration, ordinal", "rowid"),
    "summary": ("id", "rowid"),
    "summary_content": ("summary, format", "rowid"),
    "calibration_summary": ("calibration, ordinal", "rowid"),
    "panel": ("calibration, panel",),
    "certification": ("position",),
    "withdrawal": ("certification",),
    "provenance": ("calibration",),
    "placement": ("position",),
    "store_rule": ("position",),
    "origin": ("hash", "rowid"),
    "application": ("position", "id"),
}
"""The keys of each table that INSERT OR REPLACE would replace rows by."""


def upgrade() -> None:
    """Create the tables, the index and the triggers."""
    op.create_table(
        "binding",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_binding"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_binding_position"),
    )
    op.create_index("ix_entry_kind", "entry", ["chain", "kind", "position"])
    # SQLite looks for rows that refer to a new artifact, since its insertion runs triggers.
    op.create_index("ix_summary_artifact", "summary", ["artifact"])
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
        refuse_changes(table)
    check_inserts(KEYS)
    # Older programs do not know what a newer one checks on every read: they may only read.
    admit(revision, oldest_reader="0010", oldest_writer=revision)


def downgrade() -> None:
    """Drop the tables, the index and the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for table in KEYS:
            op.execute(f"DROP TRIGGER {table}_no_replace")
            op.execute(f"DROP TRIGGER {table}_types")
    op.drop_index("ix_summary_content_position", "summary_content")
    op.drop_table("summary_content")
    op.drop_index("ix_summary_artifact", "summary")
    op.drop_index("ix_entry_kind", "entry")
    op.drop_table("binding")
