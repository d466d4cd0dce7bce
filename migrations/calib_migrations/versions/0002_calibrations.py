"""Calibrations with their panels, datasets and artifacts.

Why: a derivation is recorded as a whole: the parameters of each panel with sigmas and status, the
covariance as bytes named by their hash, and the input files by their hashes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from calib_migrations.kinds import instant, position

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PARAMETERS = ("dx", "dy", "dz", "rx", "ry", "rz")


def upgrade() -> None:
    """Create ``dataset``, ``artifact``, ``calibration``, ``calibration_dataset`` and ``panel``."""
    op.create_table(
        "dataset",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("n_reflections", sa.BigInteger(), nullable=False),
        sa.Column("distance_mm", sa.Double(), nullable=False),
        sa.Column("wavelength_angstrom", sa.Double(), nullable=False),
        sa.Column("started", instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dataset"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_dataset_position"),
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("position", position(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_artifact"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_artifact_position"),
    )
    op.create_table(
        "calibration",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("detector", position(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("layout_id", sa.Text(), nullable=False),
        sa.Column("distances_mm", sa.Text(), nullable=False),
        sa.Column("freedom", sa.Text(), nullable=False),
        sa.Column("panels_id", sa.Text(), nullable=False),
        sa.Column("covariance_sha256", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_calibration"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_calibration_position"),
        sa.ForeignKeyConstraint(
            ["detector"], ["detector.position"], name="fk_calibration_detector"
        ),
        sa.UniqueConstraint("id", name="uq_calibration_id"),
        sa.UniqueConstraint("detector", "version", name="uq_calibration_detector_version"),
    )
    op.create_table(
        "calibration_dataset",
        sa.Column("calibration", position(), nullable=False, autoincrement=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("started", instant(), nullable=True),
        sa.PrimaryKeyConstraint("calibration", "ordinal", name="pk_calibration_dataset"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_calibration_dataset_calibration"
        ),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.id"], name="fk_calibration_dataset_dataset"),
    )
    op.create_index("ix_calibration_dataset_dataset", "calibration_dataset", ["dataset"])
    op.create_table(
        "panel",
        sa.Column("calibration", position(), nullable=False, autoincrement=False),
        sa.Column("panel", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("n_reflections", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in PARAMETERS),
        *(sa.Column(f"sigma_{name}", sa.Double(), nullable=True) for name in PARAMETERS),
        sa.PrimaryKeyConstraint("calibration", "panel", name="pk_panel"),
        sa.ForeignKeyConstraint(
            ["calibration"], ["calibration.position"], name="fk_panel_calibration"
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("panel")
    op.drop_index("ix_calibration_dataset_dataset", "calibration_dataset")
    op.drop_table("calibration_dataset")
    op.drop_table("calibration")
    op.drop_table("artifact")
    op.drop_table("dataset")
