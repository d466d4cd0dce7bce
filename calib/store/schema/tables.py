"""The tables. Rows are only ever added, and each names the deed that added it.

Values are checked in ``calib.model``; here they are only laid down. JSON is kept as text, since it
must come back exactly as it was written. No table leaves this wing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from calib.store.schema.columns import Instant, Text, position_type

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _column(name: str, kind: Any, *rules: Any, null: bool = False, **more: Any) -> Column[Any]:
    return Column(name, kind, *rules, nullable=null, **more)


def _key(name: str, kind: Any, *rules: Any) -> Column[Any]:
    return _column(name, kind, *rules, primary_key=True, autoincrement=False)


def _position() -> Column[Any]:
    """The key of a row which is the only one of its table that its deed added."""
    return _key("position", position_type(), ForeignKey("deed.position"))


DEED = Table(
    "deed",
    METADATA,
    _key("position", position_type()),
    _column("recorded_at", Instant, unique=True),
    _column("actor", Text),
    _column("host", Text),
)
"""Who wrote something, when, where: the record's one order."""

ENTRY = Table(
    "entry",
    METADATA,
    _position(),
    _column("chain", Text),
    _column("ordinal", BigInteger),
    _column("kind", Text),
    _column("command", Text),
    _column("reason", Text),
    _column("contents", Text),
    _column("salt", Text),
    _column("previous", Text, null=True),
    _column("hash", Text),
    UniqueConstraint("chain", "ordinal"),
)
"""The log's entry for a deed: what was recorded, chained by hashes (``calib.model.store.log``)."""

DETECTOR = Table(
    "detector",
    METADATA,
    _position(),
    _column("serial", Text, unique=True),
    _column("layout", Text),
    _column("layout_id", Text),
    _column("time_zone", Text),
    _column("description", Text),
)
"""One physical detector."""

DATASET = Table(
    "dataset",
    METADATA,
    _key("id", Text),
    _column("position", position_type(), ForeignKey("deed.position"), index=True),
    _column("sha256", Text),
    _column("name", Text),
    _column("n_reflections", BigInteger),
    _column("distance_mm", Double),
    _column("wavelength_angstrom", Double),
    _column("started", Instant, null=True),
)
"""One distinct set of files, as it was when it was first used."""

ARTIFACT = Table(
    "artifact",
    METADATA,
    _key("sha256", Text),
    _column("position", position_type(), ForeignKey("deed.position"), index=True),
    _column("kind", Text),
    _column("content", LargeBinary),
)
"""Bytes that are named by their hash."""

CALIBRATION = Table(
    "calibration",
    METADATA,
    _position(),
    _column("id", Text, unique=True),
    _column("detector", position_type(), ForeignKey("detector.position")),
    _column("version", Integer),
    _column("layout_id", Text),
    _column("distances_mm", Text),
    _column("freedom", Text),
    _column("panels_id", Text),
    _column("covariance_sha256", Text),
    _column("parameters", Text),
    _column("code_version", Text),
    _column("report_id", Text),
    _column("report", Text),
    _column("accepted", Boolean),
    _column("reasons", Text),
    UniqueConstraint("detector", "version"),
)
"""One derivation's result, without its panels."""

CALIBRATION_DATASET = Table(
    "calibration_dataset",
    METADATA,
    _key("calibration", position_type(), ForeignKey("calibration.position")),
    _key("ordinal", Integer),
    _column("dataset", Text, ForeignKey("dataset.id"), index=True),
    _column("started", Instant, null=True),
)
"""Which datasets a calibration rests on, in the order of its report."""

SUMMARY = Table(
    "summary",
    METADATA,
    _key("id", Text),
    _column("position", position_type(), ForeignKey("deed.position"), index=True),
    _column("artifact", Text, ForeignKey("artifact.sha256")),
)
"""What one dataset says of the panels, under the name of what its file holds."""

CALIBRATION_SUMMARY = Table(
    "calibration_summary",
    METADATA,
    _key("calibration", position_type(), ForeignKey("calibration.position")),
    _key("ordinal", Integer),
    _column("summary", Text, ForeignKey("summary.id"), index=True),
)
"""Which summaries a calibration rests on, under the ordinals of their datasets."""

PANEL = Table(
    "panel",
    METADATA,
    _key("calibration", position_type(), ForeignKey("calibration.position")),
    _key("panel", Integer),
    _column("name", Text),
    _column("status", Text),
    _column("n_reflections", BigInteger),
    _column("dx", Double),
    _column("dy", Double),
    _column("dz", Double),
    _column("rx", Double),
    _column("ry", Double),
    _column("rz", Double),
    _column("sigma_dx", Double, null=True),
    _column("sigma_dy", Double, null=True),
    _column("sigma_dz", Double, null=True),
    _column("sigma_rx", Double, null=True),
    _column("sigma_ry", Double, null=True),
    _column("sigma_rz", Double, null=True),
    sqlite_with_rowid=False,
)
"""One panel of one calibration, in mm and rad; a sigma is null where the value was held."""

CERTIFICATION = Table(
    "certification",
    METADATA,
    _position(),
    _column("calibration", position_type(), ForeignKey("calibration.position"), index=True),
    _column("detector", position_type(), ForeignKey("detector.position")),
    _column("valid_from", Instant),
    _column("valid_to", Instant, null=True),
    _column("distance_min_mm", Double),
    _column("distance_max_mm", Double),
    _column("gap_mm", Double, null=True),
    _column("reason", Text),
    _column("override_reason", Text),
    Index(
        "ix_certification_answers",
        "detector",
        "position",
        "valid_from",
        "valid_to",
        "distance_min_mm",
        "distance_max_mm",
    ),
)
"""Somebody's word that a calibration holds for [from, to) and [min, max)."""

WITHDRAWAL = Table(
    "withdrawal",
    METADATA,
    _key("certification", position_type(), ForeignKey("certification.position")),
    _column("position", position_type(), ForeignKey("deed.position"), index=True),
    _column("reason", Text),
)
"""That somebody took his word back."""

PROVENANCE = Table(
    "provenance",
    METADATA,
    _key("calibration", position_type(), ForeignKey("calibration.position")),
    _column("environment", Text),
    _column("paths", Text),
    _column("parent", Text, null=True),
)
"""On which machine and from which files a calibration was derived."""

PLACEMENT = Table(
    "placement",
    METADATA,
    _position(),
    _column("detector", position_type(), ForeignKey("detector.position"), index=True),
    _column("beamline", Text),
    _column("placed_from", Instant),
    _column("reason", Text),
)
"""That a detector stands at a beamline from some instant on."""

STORE_RULE = Table(
    "store_rule",
    METADATA,
    _position(),
    _column("name", Text),
    _column("value", Text),
)
"""That the store demands something, or does not any more."""

ORIGIN = Table(
    "origin",
    METADATA,
    _key("hash", Text),
    _column("position", position_type(), ForeignKey("deed.position"), index=True),
    _column("detector", position_type(), ForeignKey("detector.position"), index=True),
    _column("origin_position", BigInteger),
    _column("recorded_at", Instant),
    _column("chain", Text),
    _column("ordinal", BigInteger),
    _column("kind", Text),
    _column("reason", Text),
    _column("contents", Text),
    _column("previous", Text, null=True),
    _column("signed_by", Text),
    _column("signature", Text, null=True),
    _column("calibration_id", Text, null=True, index=True),
    _column("version", Integer, null=True),
    _column("said", Text),
)
"""An entry of another store's log, as a bundle told it; it holds nothing here."""

APPLICATION = Table(
    "application",
    METADATA,
    _position(),
    _column("id", Text, unique=True),
    _column("calibration", position_type(), ForeignKey("calibration.position"), index=True),
    _column("serial", Text),
    _column("version", Integer),
    _column("input_sha256", Text),
    _column("output_sha256", Text),
    _column("output_names", Text),
    _column("data_time", Instant, null=True),
    _column("distance_mm", Double),
    _column("why", Text),
    _column("applied_at", Instant),
    _column("actor", Text),
    _column("host", Text),
)
"""One file that got one calibration, as its receipt says."""
