"""Results about applied calibrations: what a detector got, and what a file would get now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.model.store.record import Application, Certification, State


@dataclass(frozen=True, slots=True)
class AppliedDetector:
    """One detector of an experiment list, and the calibration that was applied to it."""

    index: int
    serial: str
    calibration: str
    """``SERIAL:VERSION``."""
    calibration_id: str
    version: int
    state: State
    distance_mm: float
    data_time: datetime | None
    why: str
    """Why this calibration was chosen."""
    pose_residual_um: float
    """How far the panels were from the known correction that fits them best."""
    replaced: str
    """The calibration that was removed before; empty where there was none."""


@dataclass(frozen=True, slots=True)
class AffectedFile:
    """An application of a calibration, and the certifications for its time and distance."""

    application: Application
    now: Certification | None
    """The one that answers now; None where none does, or the time is unknown."""
    without: Certification | None
    """The one that would answer if every certification of the calibration were withdrawn."""

    @property
    def superseded(self) -> bool:
        """Whether another calibration, or none, would be applied to the file now."""
        mine = self.application.calibration_id
        return self.application.data_time is not None and (
            self.now is None or self.now.calibration_id != mine
        )
