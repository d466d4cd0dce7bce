"""Environment and input files of derivations.

Why: to repeat a derivation one must find its inputs, and must know whether the result can agree bit
for bit: library versions, processor and number of threads affect the last bits. None of that is
part of a calibration's identity, so it is in a table of its own. Existing calibrations have no
provenance.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import position

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``provenance``."""
    op.create_table(
        "provenance",
        sa.Column("calibration", position(), nullable=False, autoincrement=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("calibration", name="pk_provenance"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_provenance_calibration"
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON provenance "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER provenance_no_{change.lower()} BEFORE {change} ON provenance "
            "BEGIN SELECT RAISE(ABORT, 'rows of provenance are only ever added'); END"
        )


def downgrade() -> None:
    """Drop the table and its triggers."""
    op.drop_table("provenance")
