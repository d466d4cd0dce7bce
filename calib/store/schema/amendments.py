"""The tables of amendments, of checkpoints of other stores, and of shared layouts."""

# Without "from __future__ import annotations", as in ``schema.tables``.
from datetime import datetime

from sqlalchemy import BigInteger

from calib.store.schema.columns import Instant, Text
from calib.store.schema.fields import StoreTable, column, position_key, reference


class DetectorEditTable(StoreTable, table=True):
    """A change of how a detector is described. A column that does not change is null."""

    __tablename__ = "detector_edit"
    position: int = position_key()
    detector: int = reference("detector", "The detector", index=True)
    holds_from: datetime | None = column(
        Instant, "From when on the values hold; null if always", null=True
    )
    time_zone: str | None = column(Text, "IANA name; applies to times without an offset", null=True)
    description: str | None = column(Text, "Description of the detector", null=True)
    layout_name: str | None = column(Text, "Name of the model of the detector", null=True)
    reason: str = column(Text, "Why it is changed")


class RetirementTable(StoreTable, table=True):
    """A detector is not in use any more from a date on, or is again."""

    __tablename__ = "retirement"
    position: int = position_key()
    detector: int = reference("detector", "The detector", index=True)
    retired_from: datetime | None = column(
        Instant, "From when on it is retired; null if it is in use", null=True
    )
    reason: str = column(Text, "Why it is retired, or in use again")


class RelabellingTable(StoreTable, table=True):
    """A calibration that was recorded again under another serial."""

    __tablename__ = "relabelling"
    position: int = position_key()
    calibration: int = reference("calibration", "The calibration replaced", unique=True)
    replacement: str = column(Text, "Id of the calibration that replaces it")
    serial: str = column(Text, "Serial of the detector that the replacement is of")
    reason: str = column(Text, "Why the serial was wrong")


class AnchoredCheckpointTable(StoreTable, table=True):
    """A signed checkpoint of another store's log."""

    __tablename__ = "anchored_checkpoint"
    position: int = position_key()
    public_key: str = column(Text, "Public key that verifies it, in hexadecimal")
    made_at: datetime = column(Instant, "When it was made, by the clock of the other store")
    last_position: int = column(BigInteger, "Last log position in the other store")
    content: str = column(Text, "JSON: the signed checkpoint")


class LayoutTable(StoreTable, table=True):
    """A file of a family of detectors, which all users of the store share."""

    __tablename__ = "layout"
    position: int = position_key()
    name: str = column(Text, "Name of the file; a later one of the same name replaces it")
    content: str = column(Text, "The file: TOML")
    reason: str = column(Text, "Reason that the user gave; may be empty")
