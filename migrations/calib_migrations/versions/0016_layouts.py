"""Layouts of detectors that the users of a store share.

Why: a layout in the settings folder of one user is unknown to the others, who then cannot split
data of that detector. A file of a family is recorded with a name; a later one of the same name
replaces it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.checked_rows import protect
from calib_migrations.kinds import position

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEYS = {"layout": ("position",)}
"""The new tables, and the keys that INSERT OR REPLACE would replace rows by."""


def upgrade() -> None:
    """Create the tables and their triggers."""
    op.create_table(
        "layout",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_layout"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_layout_position"),
    )
    protect(KEYS)
    # Older programs do not verify what a newer one writes: they may only read.
    admit(revision, oldest_reader="0010", oldest_writer=revision)


def downgrade() -> None:
    """Drop the tables, with their triggers."""
    op.drop_table("layout")
