"""Rules that a store sets for its users.

Why: where several people share a login name, a certification must name the person. Such a rule
belongs to the store, not to the settings of each machine, and is recorded like any other change. A
program that does not know rules would not follow them, so it may read the store but not write it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
from calib_migrations.kinds import position

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``store_rule``."""
    op.create_table(
        "store_rule",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_store_rule"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_store_rule_position"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON store_rule "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER store_rule_no_{change.lower()} BEFORE {change} ON store_rule "
                "BEGIN SELECT RAISE(ABORT, 'rows of store_rule are only ever added'); END"
            )
    admit(revision, oldest_reader="0010", oldest_writer=revision)


def downgrade() -> None:
    """Drop the table and its triggers."""
    op.drop_table("store_rule")
