"""Changes of a detector's description, retirements, relabelled calibrations, and checkpoints of
other stores.

Why: what was recorded wrongly is mended by adding. A detector's time zone, description or name of
its layout is changed by a row with a reason, which holds from a date on; a retirement, and its end,
is a row as well. A calibration whose serial was mistyped is recorded again under the right one, and
a row names what replaces it. A store can hold the signed checkpoints of other stores, whose writers
cannot change them there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.checked_rows import protect
from calib_migrations.kinds import instant, position

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEYS = {
    "detector_edit": ("position",),
    "retirement": ("position",),
    "relabelling": ("position", "calibration"),
    "anchored_checkpoint": ("position",),
}
"""The new tables, and the keys that INSERT OR REPLACE would replace rows by."""


def upgrade() -> None:
    """Create the tables and their triggers."""
    op.create_table(
        "detector_edit",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("holds_from", instant(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("layout_name", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_detector_edit"),
        *_references("detector_edit", position="deed", detector="detector"),
    )
    op.create_index("ix_detector_edit_detector", "detector_edit", ["detector"])
    op.create_table(
        "retirement",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("retired_from", instant(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_retirement"),
        *_references("retirement", position="deed", detector="detector"),
    )
    op.create_index("ix_retirement_detector", "retirement", ["detector"])
    op.create_table(
        "relabelling",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("calibration", position(), nullable=False),
        sa.Column("replacement", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_relabelling"),
        sa.UniqueConstraint("calibration", name="uq_relabelling_calibration"),
        *_references("relabelling", position="deed", calibration="calibration"),
    )
    op.create_table(
        "anchored_checkpoint",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("made_at", instant(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_anchored_checkpoint"),
        *_references("anchored_checkpoint", position="deed"),
    )
    protect(KEYS)
    # Older programs do not verify what a newer one writes, and would certify a calibration that
    # was relabelled: they may only read.
    admit(revision, oldest_reader="0010", oldest_writer=revision)


def downgrade() -> None:
    """Drop the tables, with their triggers."""
    op.drop_table("anchored_checkpoint")
    op.drop_table("relabelling")
    op.drop_index("ix_retirement_detector", "retirement")
    op.drop_table("retirement")
    op.drop_index("ix_detector_edit_detector", "detector_edit")
    op.drop_table("detector_edit")


def _references(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([name], [f"{other}.position"], name=f"fk_{table}_{name}")
        for name, other in columns.items()
    ]
