"""The tables. Rows are only ever added, and each names the deed that added it.

Values are checked in ``calib.model``; here they are only laid down. JSON is kept as text, since it
must come back exactly as it was written. No table leaves this wing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

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
from sqlmodel import Field, SQLModel

from calib.store.columns import Instant, Text, position_type

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Row(SQLModel):
    """What all tables share."""

    metadata: ClassVar[MetaData] = METADATA


def _column(kind: Any, *rules: Any, null: bool = False, **more: Any) -> Any:
    return Field(sa_column=Column(kind, *rules, nullable=null, **more))


def _key(kind: Any, *rules: Any) -> Any:
    return _column(kind, *rules, primary_key=True, autoincrement=False)


def _position() -> Any:
    """The key of a row which is the only one of its table that its deed added."""
    return _key(position_type(), ForeignKey("deed.position"))


class Deed(Row, table=True):
    """Who wrote something, when, where: the record's one order."""

    __tablename__ = "deed"
    position: int = _key(position_type())
    recorded_at: datetime = _column(Instant, unique=True)
    actor: str = _column(Text)
    host: str = _column(Text)


class Entry(Row, table=True):
    """The log's entry for a deed: what was recorded, chained by hashes (``calib.model.log``)."""

    __tablename__ = "entry"
    __table_args__ = (UniqueConstraint("chain", "ordinal"),)
    position: int = _position()
    chain: str = _column(Text)
    ordinal: int = _column(BigInteger)
    kind: str = _column(Text)
    command: str = _column(Text)
    reason: str = _column(Text)
    contents: str = _column(Text)
    salt: str = _column(Text)
    previous: str | None = _column(Text, null=True)
    hash: str = _column(Text)


class Detector(Row, table=True):
    """One physical detector."""

    __tablename__ = "detector"
    position: int = _position()
    serial: str = _column(Text, unique=True)
    layout: str = _column(Text)
    layout_id: str = _column(Text)
    time_zone: str = _column(Text)
    description: str = _column(Text)


class Dataset(Row, table=True):
    """One distinct set of files, as it was when it was first used."""

    __tablename__ = "dataset"
    id: str = _key(Text)
    position: int = _column(position_type(), ForeignKey("deed.position"), index=True)
    sha256: str = _column(Text)
    name: str = _column(Text)
    n_reflections: int = _column(BigInteger)
    distance_mm: float = _column(Double)
    wavelength_angstrom: float = _column(Double)
    started: datetime | None = _column(Instant, null=True)


class Artifact(Row, table=True):
    """Bytes that are named by their hash."""

    __tablename__ = "artifact"
    sha256: str = _key(Text)
    position: int = _column(position_type(), ForeignKey("deed.position"), index=True)
    kind: str = _column(Text)
    content: bytes = _column(LargeBinary)


class Calibration(Row, table=True):
    """One derivation's result, without its panels."""

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("detector", "version"),)
    position: int = _position()
    id: str = _column(Text, unique=True)
    detector: int = _column(position_type(), ForeignKey("detector.position"))
    version: int = _column(Integer)
    layout_id: str = _column(Text)
    distances_mm: str = _column(Text)
    freedom: str = _column(Text)
    panels_id: str = _column(Text)
    covariance_sha256: str = _column(Text)
    parameters: str = _column(Text)
    code_version: str = _column(Text)
    report_id: str = _column(Text)
    report: str = _column(Text)
    accepted: bool = _column(Boolean)
    reasons: str = _column(Text)


class CalibrationDataset(Row, table=True):
    """Which datasets a calibration rests on, in the order of its report."""

    __tablename__ = "calibration_dataset"
    calibration: int = _key(position_type(), ForeignKey("calibration.position"))
    ordinal: int = _key(Integer)
    dataset: str = _column(Text, ForeignKey("dataset.id"), index=True)
    started: datetime | None = _column(Instant, null=True)


class Summary(Row, table=True):
    """What one dataset says of the panels, under the name of what its file holds."""

    __tablename__ = "summary"
    id: str = _key(Text)
    position: int = _column(position_type(), ForeignKey("deed.position"), index=True)
    artifact: str = _column(Text, ForeignKey("artifact.sha256"))


class CalibrationSummary(Row, table=True):
    """Which summaries a calibration rests on, under the ordinals of their datasets."""

    __tablename__ = "calibration_summary"
    calibration: int = _key(position_type(), ForeignKey("calibration.position"))
    ordinal: int = _key(Integer)
    summary: str = _column(Text, ForeignKey("summary.id"), index=True)


class Panel(Row, table=True):
    """One panel of one calibration, in mm and rad; a sigma is null where the value was held."""

    __tablename__ = "panel"
    __table_args__ = {"sqlite_with_rowid": False}
    calibration: int = _key(position_type(), ForeignKey("calibration.position"))
    panel: int = _key(Integer)
    name: str = _column(Text)
    status: str = _column(Text)
    n_reflections: int = _column(BigInteger)
    dx: float = _column(Double)
    dy: float = _column(Double)
    dz: float = _column(Double)
    rx: float = _column(Double)
    ry: float = _column(Double)
    rz: float = _column(Double)
    sigma_dx: float | None = _column(Double, null=True)
    sigma_dy: float | None = _column(Double, null=True)
    sigma_dz: float | None = _column(Double, null=True)
    sigma_rx: float | None = _column(Double, null=True)
    sigma_ry: float | None = _column(Double, null=True)
    sigma_rz: float | None = _column(Double, null=True)


class Certification(Row, table=True):
    """Somebody's word that a calibration holds for [from, to) and [min, max)."""

    __tablename__ = "certification"
    __table_args__ = (
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
    position: int = _position()
    calibration: int = _column(position_type(), ForeignKey("calibration.position"), index=True)
    detector: int = _column(position_type(), ForeignKey("detector.position"))
    valid_from: datetime = _column(Instant)
    valid_to: datetime | None = _column(Instant, null=True)
    distance_min_mm: float = _column(Double)
    distance_max_mm: float = _column(Double)
    gap_mm: float | None = _column(Double, null=True)
    reason: str = _column(Text)
    override_reason: str = _column(Text)


class Withdrawal(Row, table=True):
    """That somebody took his word back."""

    __tablename__ = "withdrawal"
    certification: int = _key(position_type(), ForeignKey("certification.position"))
    position: int = _column(position_type(), ForeignKey("deed.position"), index=True)
    reason: str = _column(Text)


class Provenance(Row, table=True):
    """On which machine and from which files a calibration was derived."""

    __tablename__ = "provenance"
    calibration: int = _key(position_type(), ForeignKey("calibration.position"))
    environment: str = _column(Text)
    paths: str = _column(Text)
    parent: str | None = _column(Text, null=True)


class Placement(Row, table=True):
    """That a detector stands at a beamline from some instant on."""

    __tablename__ = "placement"
    position: int = _position()
    detector: int = _column(position_type(), ForeignKey("detector.position"), index=True)
    beamline: str = _column(Text)
    placed_from: datetime = _column(Instant)
    reason: str = _column(Text)


class StoreRule(Row, table=True):
    """That the store demands something, or does not any more."""

    __tablename__ = "store_rule"
    position: int = _position()
    name: str = _column(Text)
    value: str = _column(Text)


class Origin(Row, table=True):
    """An entry of another store's log, as a bundle told it; it holds nothing here."""

    __tablename__ = "origin"
    hash: str = _key(Text)
    position: int = _column(position_type(), ForeignKey("deed.position"), index=True)
    detector: int = _column(position_type(), ForeignKey("detector.position"), index=True)
    origin_position: int = _column(BigInteger)
    recorded_at: datetime = _column(Instant)
    chain: str = _column(Text)
    ordinal: int = _column(BigInteger)
    kind: str = _column(Text)
    reason: str = _column(Text)
    contents: str = _column(Text)
    previous: str | None = _column(Text, null=True)
    signed_by: str = _column(Text)
    signature: str | None = _column(Text, null=True)
    calibration_id: str | None = _column(Text, null=True, index=True)
    version: int | None = _column(Integer, null=True)
    said: str = _column(Text)


class Application(Row, table=True):
    """One file that got one calibration, as its receipt says."""

    __tablename__ = "application"
    position: int = _position()
    id: str = _column(Text, unique=True)
    calibration: int = _column(position_type(), ForeignKey("calibration.position"), index=True)
    serial: str = _column(Text)
    version: int = _column(Integer)
    input_sha256: str = _column(Text)
    output_sha256: str = _column(Text)
    output_names: str = _column(Text)
    data_time: datetime | None = _column(Instant, null=True)
    distance_mm: float = _column(Double)
    why: str = _column(Text)
    applied_at: datetime = _column(Instant)
    actor: str = _column(Text)
    host: str = _column(Text)


def _table(name: str) -> Table:
    return METADATA.tables[name]


DEED = _table("deed")
ENTRY = _table("entry")
DETECTOR = _table("detector")
DATASET = _table("dataset")
ARTIFACT = _table("artifact")
CALIBRATION = _table("calibration")
CALIBRATION_DATASET = _table("calibration_dataset")
SUMMARY = _table("summary")
CALIBRATION_SUMMARY = _table("calibration_summary")
PANEL = _table("panel")
CERTIFICATION = _table("certification")
WITHDRAWAL = _table("withdrawal")
APPLICATION = _table("application")
PLACEMENT = _table("placement")
PROVENANCE = _table("provenance")
STORE_RULE = _table("store_rule")
ORIGIN = _table("origin")
