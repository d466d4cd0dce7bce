"""Results about applied calibrations: what a detector got, and what a file would get now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.model.store.record import Application, Certification, State


@dataclass(frozen=True, slots=True)
class AppliedDetector:
    """One detector of the experiment, and what it got."""

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
    """How far the panels stood from the candidate that they agreed with best."""
    replaced: str
    """The calibration that was taken off before; empty where there was none."""


@dataclass(frozen=True, slots=True)
class AffectedFile:
    """One application of the calibration, with what answers for the file's time and distance."""

    application: Application
    now: Certification | None
    """What answers as things stand; None where nothing does, or the time is unknown."""
    without: Certification | None
    """What would answer if every certification of the calibration were withdrawn."""

    @property
    def superseded(self) -> bool:
        """Whether another answer holds by now than the one that the file got."""
        mine = self.application.calibration_id
        return self.application.data_time is not None and (
            self.now is None or self.now.calibration_id != mine
        )
