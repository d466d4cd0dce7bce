"""The tables of a store, one SQLModel class each, and the Core tables that statements use.

Rows are only ever added; every row belongs to one position of the log. Classes with ``table=True``
validate nothing: values are checked in ``calib.model``. Statements use the Core tables below
(``select(CALIBRATION)``) and fetch rows, since building an ORM object for each row would cost a
look-up more than the query does. JSON is stored as text, because it must be read back exactly as
it was written. A change of these classes needs a migration in ``calib_migrations``.
"""

# Without "from __future__ import annotations": evaluating the annotations of 150 columns from text
# would add a fifth to the time that this module takes to load.
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
)

from calib.store.schema.amendments import (
    AnchoredCheckpointTable,
    DetectorEditTable,
    LayoutTable,
    RelabellingTable,
    RetirementTable,
)
from calib.store.schema.columns import Instant, Text, position_type
from calib.store.schema.fields import (
    StoreTable,
    added_at,
    column,
    key,
    position_key,
    reference,
    table_of,
)


class ChangeStampTable(StoreTable, table=True):
    """Who changed the store, when and from which host: one row per log position."""

    __tablename__ = "deed"
    position: int = key(position_type(), "Log position, dense from 1")
    recorded_at: datetime = column(
        Instant, "When it was recorded; rises with the position", unique=True
    )
    actor: str = column(Text, "Login name, or the value of CALIB_ACTOR or --by")
    host: str = column(Text, "Host name")


class EntryTable(StoreTable, table=True):
    """The log entry of a position: what was recorded, chained by hashes (``model.store.log``)."""

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("chain", "ordinal"),
        Index("ix_entry_kind", "chain", "kind", "position"),
    )
    position: int = position_key()
    chain: str = column(Text, "Serial of the detector; empty for the chain of the store")
    ordinal: int = column(BigInteger, "Number of the entry in its chain, dense from 1")
    kind: str = column(Text, "What was recorded: calibration, certification, ...")
    command: str = column(Text, "Command line without passwords; empty from a library call")
    reason: str = column(Text, "Reason that the user gave; may be empty")
    contents: str = column(Text, "JSON object: table name to the hash of the rows added")
    salt: str = column(Text, "Random text, hashed together with actor, host and command")
    previous: str | None = column(Text, "Hash of the chain's previous entry", null=True)
    hash: str = column(Text, "SHA-256 of the entry")


class BindingTable(StoreTable, table=True):
    """What an entry of the log is about: the detector, and the keys of the rows that it added."""

    __tablename__ = "binding"
    position: int = position_key()
    detector: str = column(Text, "Serial of the detector; empty for rules of the store")
    keys: str = column(Text, "JSON object: table name to the primary keys of its rows, sorted")


class DetectorTable(StoreTable, table=True):
    """One physical detector."""

    __tablename__ = "detector"
    position: int = position_key()
    serial: str = column(Text, "Serial number", unique=True)
    layout: str = column(Text, "JSON: nominal geometry of the panels")
    layout_id: str = column(Text, "SHA-256 of the layout's canonical content")
    time_zone: str = column(Text, "IANA name; applies to times without an offset")
    description: str = column(Text, "Identifier in the file it was registered from, or free text")


class DatasetTable(StoreTable, table=True):
    """One distinct set of files, as it was when it was first used."""

    __tablename__ = "dataset"
    id: str = key(Text, "SHA-256 of the hashes of its files")
    position: int = added_at()
    sha256: str = column(Text, "JSON array: SHA-256 of each file, sorted")
    name: str = column(Text, "Name under which it was first used")
    n_reflections: int = column(BigInteger, "Reflections used, rejected and flagged")
    distance_mm: float = column(Double, "Detector distance")
    wavelength_angstrom: float = column(Double, "Wavelength")
    started: datetime | None = column(Instant, "When data collection began, if known", null=True)


class ArtifactTable(StoreTable, table=True):
    """Bytes named by their hash."""

    __tablename__ = "artifact"
    sha256: str = key(Text, "SHA-256 of the content")
    position: int = added_at()
    kind: str = column(Text, "covariance or summary")
    content: bytes = column(LargeBinary, "The bytes")


class CalibrationTable(StoreTable, table=True):
    """The result of one derivation, without its panels."""

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("detector", "version"),)
    position: int = position_key()
    id: str = column(Text, "SHA-256 of its canonical content", unique=True)
    detector: int = reference("detector", "Position of its detector")
    version: int = column(Integer, "Number among the detector's calibrations, dense from 1")
    layout_id: str = column(Text, "Identity of the detector's layout")
    distances_mm: str = column(Text, "JSON array: distances of its datasets")
    freedom: str = column(Text, "in-plane or full: which panel parameters were refined")
    panels_id: str = column(Text, "SHA-256 of the content of its panel rows")
    covariance_sha256: str = column(Text, "Artifact with the covariance of the refined parameters")
    parameters: str = column(Text, "JSON object: options of the solver")
    code_version: str = column(Text, "Version of the solver's code")
    report_id: str = column(Text, "SHA-256 of the report without dataset names")
    report: str = column(Text, "JSON: report of the derivation")
    accepted: bool = column(Boolean, "Whether it passed the acceptance checks")
    reasons: str = column(Text, "JSON array: acceptance checks that failed")


class CalibrationDatasetTable(StoreTable, table=True):
    """The datasets of a calibration, in the order of its report."""

    __tablename__ = "calibration_dataset"
    calibration: int = key(position_type(), "Calibration", ForeignKey("calibration.position"))
    ordinal: int = key(Integer, "Number in the report, from 0")
    dataset: str = column(Text, "The dataset", ForeignKey("dataset.id"), index=True)
    started: datetime | None = column(Instant, "When data collection began, if known", null=True)


class SummaryTable(StoreTable, table=True):
    """The normal equations of one dataset (docs/summaries.md), named by the file's content."""

    __tablename__ = "summary"
    id: str = key(Text, "SHA-256 of the summary's content")
    position: int = added_at()
    artifact: str = column(
        Text, "Artifact with the file", ForeignKey("artifact.sha256"), index=True
    )


class CalibrationSummaryTable(StoreTable, table=True):
    """The summaries of a calibration, numbered as its datasets."""

    __tablename__ = "calibration_summary"
    calibration: int = key(position_type(), "Calibration", ForeignKey("calibration.position"))
    ordinal: int = key(Integer, "Number of the dataset in the report, from 0")
    summary: str = column(Text, "The summary", ForeignKey("summary.id"), index=True)


class SummaryContentTable(StoreTable, table=True):
    """The bytes of a summary in a named format; the summary itself may have another one."""

    __tablename__ = "summary_content"
    summary: str = key(Text, "The summary", ForeignKey("summary.id"))
    format: str = key(Text, "Format of the bytes, such as calib/summary/2")
    position: int = added_at()
    sha256: str = column(Text, "SHA-256 of the bytes")
    content: bytes = column(LargeBinary, "The bytes")


class PanelTable(StoreTable, table=True):
    """One panel of a calibration: shifts in mm, rotations in rad, in its nominal frame."""

    __tablename__ = "panel"
    __table_args__ = ({"sqlite_with_rowid": False},)
    calibration: int = key(position_type(), "Calibration", ForeignKey("calibration.position"))
    panel: int = key(Integer, "Index of the panel in the layout, from 0")
    name: str = column(Text, "Name of the panel in the layout")
    status: str = column(Text, "measured, sparse or unmeasured")
    n_reflections: int = column(BigInteger, "Reflections used on the panel")
    dx: float = column(Double, "Shift along fast, mm")
    dy: float = column(Double, "Shift along slow, mm")
    dz: float = column(Double, "Shift along the normal, mm")
    rx: float = column(Double, "Rotation about fast, rad")
    ry: float = column(Double, "Rotation about slow, rad")
    rz: float = column(Double, "Rotation about the normal, rad")
    sigma_dx: float | None = column(Double, "Sigma of dx; null if fixed at nominal", null=True)
    sigma_dy: float | None = column(Double, "Sigma of dy; null if fixed at nominal", null=True)
    sigma_dz: float | None = column(Double, "Sigma of dz; null if fixed at nominal", null=True)
    sigma_rx: float | None = column(Double, "Sigma of rx; null if fixed at nominal", null=True)
    sigma_ry: float | None = column(Double, "Sigma of ry; null if fixed at nominal", null=True)
    sigma_rz: float | None = column(Double, "Sigma of rz; null if fixed at nominal", null=True)


class CertificationTable(StoreTable, table=True):
    """A named person certifies a calibration for times [from, to) and distances [min, max)."""

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
    position: int = position_key()
    calibration: int = reference("calibration", "The calibration certified", index=True)
    detector: int = reference("detector", "Its detector")
    valid_from: datetime = column(Instant, "Start of validity")
    valid_to: datetime | None = column(
        Instant, "End of validity, exclusive; null until further notice", null=True
    )
    distance_min_mm: float = column(Double, "Shortest distance")
    distance_max_mm: float = column(Double, "Longest distance, exclusive")
    gap_mm: float | None = column(Double, "Extrapolation limit beyond the distances", null=True)
    reason: str = column(Text, "Why it is certified")
    override_reason: str = column(
        Text, "Why it is certified although it failed acceptance; else empty"
    )


class WithdrawalTable(StoreTable, table=True):
    """The withdrawal of a certification."""

    __tablename__ = "withdrawal"
    certification: int = key(
        position_type(), "The certification withdrawn", ForeignKey("certification.position")
    )
    position: int = added_at()
    reason: str = column(Text, "Why it is withdrawn")


class ProvenanceTable(StoreTable, table=True):
    """The environment and the input files of a derivation."""

    __tablename__ = "provenance"
    calibration: int = key(position_type(), "Calibration", ForeignKey("calibration.position"))
    environment: str = column(Text, "JSON object: versions of libraries, processor, threads")
    paths: str = column(Text, "JSON object: SHA-256 of each input file to its path")
    parent: str | None = column(
        Text, "Id of the calibration to which datasets were added, if any", null=True
    )


class PlacementTable(StoreTable, table=True):
    """The beamline of a detector from a date on."""

    __tablename__ = "placement"
    position: int = position_key()
    detector: int = reference("detector", "The detector", index=True)
    beamline: str = column(Text, "Name of the beamline")
    placed_from: datetime = column(Instant, "From when on")
    reason: str = column(Text, "Reason that the user gave; may be empty")


class StoreRuleTable(StoreTable, table=True):
    """A rule of the store, and the value it was given."""

    __tablename__ = "store_rule"
    position: int = position_key()
    name: str = column(Text, "Name of the rule")
    value: str = column(Text, "Its value from this position on")


class OriginTable(StoreTable, table=True):
    """An entry of another store's log, from a bundle. It has no effect on resolution here."""

    __tablename__ = "origin"
    hash: str = key(Text, "SHA-256 of the entry")
    position: int = added_at()
    detector: int = reference("detector", "The detector, in this store", index=True)
    origin_position: int = column(BigInteger, "Log position in the other store")
    recorded_at: datetime = column(Instant, "When the other store recorded it")
    chain: str = column(Text, "Its chain")
    ordinal: int = column(BigInteger, "Number of the entry in its chain")
    kind: str = column(Text, "What was recorded: calibration, certification, ...")
    reason: str = column(Text, "Reason that the user gave; may be empty")
    contents: str = column(Text, "JSON object: table name to the hash of the rows added")
    previous: str | None = column(Text, "Hash of the chain's previous entry", null=True)
    signed_by: str = column(Text, "Hash of actor, host, command and salt")
    signature: str | None = column(
        Text, "JSON array: actor, host, command, salt; null if the bundle omits them", null=True
    )
    calibration_id: str | None = column(
        Text, "Calibration that the entry is about, if any", null=True, index=True
    )
    version: int | None = column(Integer, "Version of it in the other store", null=True)
    said: str = column(Text, "JSON object: the row that the entry recorded")


class ApplicationTable(StoreTable, table=True):
    """One application of a calibration to data, as in its receipt."""

    __tablename__ = "application"
    position: int = position_key()
    id: str = column(Text, "SHA-256 of the receipt's content", unique=True)
    calibration: int = reference("calibration", "The calibration applied", index=True)
    serial: str = column(Text, "Serial of the detector, as in the receipt")
    version: int = column(Integer, "Version of the calibration, as in the receipt")
    input_sha256: str = column(Text, "JSON array: SHA-256 of each input file")
    output_sha256: str = column(Text, "JSON array: SHA-256 of each output file")
    output_names: str = column(Text, "JSON array: names of the output files, without folders")
    data_time: datetime | None = column(Instant, "When the data were collected", null=True)
    distance_mm: float = column(Double, "Detector distance of the data")
    why: str = column(Text, "Why this calibration was chosen")
    applied_at: datetime = column(Instant, "When it was applied")
    actor: str = column(Text, "Who applied it")
    host: str = column(Text, "Host name")


METADATA = StoreTable.metadata
"""All tables of a store, for the migrations and for comparison with a database."""
ANCHORED_CHECKPOINT = table_of(AnchoredCheckpointTable)
APPLICATION = table_of(ApplicationTable)
ARTIFACT = table_of(ArtifactTable)
BINDING = table_of(BindingTable)
CALIBRATION = table_of(CalibrationTable)
CALIBRATION_DATASET = table_of(CalibrationDatasetTable)
CALIBRATION_SUMMARY = table_of(CalibrationSummaryTable)
CERTIFICATION = table_of(CertificationTable)
DATASET = table_of(DatasetTable)
DEED = table_of(ChangeStampTable)
DETECTOR = table_of(DetectorTable)
DETECTOR_EDIT = table_of(DetectorEditTable)
ENTRY = table_of(EntryTable)
LAYOUT = table_of(LayoutTable)
ORIGIN = table_of(OriginTable)
PANEL = table_of(PanelTable)
PLACEMENT = table_of(PlacementTable)
PROVENANCE = table_of(ProvenanceTable)
RELABELLING = table_of(RelabellingTable)
RETIREMENT = table_of(RetirementTable)
STORE_RULE = table_of(StoreRuleTable)
SUMMARY = table_of(SummaryTable)
SUMMARY_CONTENT = table_of(SummaryContentTable)
WITHDRAWAL = table_of(WithdrawalTable)
