"""What a bundle told of another store: its log's entries, recorded here, holding nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calib.model.bundle import BundleEntry
from calib.model.record import Deed


@dataclass(frozen=True, slots=True, eq=False)
class OriginEntry:
    """An entry of another store's log."""

    told: BundleEntry
    calibration_id: str | None
    """The calibration that it is about; None where it is about the detector."""
    version: int | None
    """The number that the calibration had there."""
    said: Mapping[str, Any]
    """What was certified, withdrawn or placed, column by column; empty for other entries."""
    loaded: Deed
    """By whom and when it was recorded here."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What came of loading a bundle."""

    serial: str
    registered: bool
    """Whether the store did not know the detector before."""
    calibrations: tuple[tuple[str, int | None, bool], ...]
    """Each calibration: its name here, its number in the store of origin, and whether it is new."""
    n_history: int
    """Entries of the origin's log that are new here."""
    adopted: tuple[int, ...]
    """The numbers of the certifications that hold here by now."""
    n_applications: int
    """Applications that are new here."""
