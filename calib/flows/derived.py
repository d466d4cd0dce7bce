"""What comes of a derivation, from files or from summaries."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.record import CalibrationRecord, DetectorRecord, StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """What came of a derivation."""

    record: CalibrationRecord
    stored: StoredCalibration | None
    """None in a dry run."""
    new: bool
    """False where the same derivation had been stored before."""
    registered: DetectorRecord | None
    """The detector, where the store did not know it before."""
    freedom_reason: str
    notices: tuple[str, ...]
    seconds: float
