"""Bindings of log entries, an index for verified look-ups, and the bytes of summaries by format.

Why: a binding states in the log what an entry is about, the detector and the keys of its rows, so
that an entry in another detector's chain is recognised. A look-up verifies the certifications and
withdrawals on which its answer depends, and finds their entries by the index. On SQLite, where
INSERT OR REPLACE deletes rows without the triggers against deletion, and columns take values of any
type, further triggers refuse existing keys and values of other types. A summary may be kept in
another format than that of the file in which it was first recorded; that file stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from calib_migrations.admission import admit
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
_STORED_AS = {"INTEGER": "integer", "BIGINT": "integer", "BOOLEAN": "integer", "DOUBLE": "real"}
"""How SQLite stores values of a declared type; others are stored as text, or bytes for BLOB."""


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
        _append_only(table)
    if op.get_bind().dialect.name == "sqlite":
        for statement in _checked_inserts():
            op.execute(statement)
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


def _checked_inserts() -> Iterator[str]:
    """Statements for triggers that refuse rows with an existing key, or with values of another
    type than that of their column."""
    for table, keys in KEYS.items():
        found = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE "  # noqa: S608 - names of known tables
            + " AND ".join(f"{name} = NEW.{name}" for name in key.split(", "))
            + ")"
            for key in keys
        )
        yield (
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {found} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
        )
        wrong = " OR ".join(_of_another_type(*column) for column in _columns(table))
        yield (
            f"CREATE TRIGGER {table}_types BEFORE INSERT ON {table} WHEN {wrong} "
            f"BEGIN SELECT RAISE(ABORT, 'a value of {table} is not of the type of its column'); END"
        )


def _columns(table: str) -> list[tuple[str, str, bool]]:
    """Name and declared type of each column, and whether it may be null."""
    rows = op.get_bind().exec_driver_sql(f"PRAGMA table_info({table})")
    return [(row[1], row[2].partition("(")[0].upper(), not row[3]) for row in rows]


def _of_another_type(name: str, declared: str, nullable: bool) -> str:
    kind = "blob" if declared == "BLOB" else _STORED_AS.get(declared, "text")
    kinds = f"('{kind}', 'null')" if nullable else f"('{kind}')"
    return f"typeof(NEW.{name}) NOT IN {kinds}"
