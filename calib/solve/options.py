"""What a person may choose about a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calib.model.correction import Freedom
from calib.solve.panels import PanelPrior


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """How to solve; the defaults suit rotation data of a detector that is rigidly mounted."""

    freedom: Freedom
    prior: PanelPrior
    ignore_flags: bool = False
    """Reconsider reflections that somebody flagged as outliers or excluded."""
    pose_per_experiment: bool = False
    """Give each experiment of a file its own pose, near a common one."""
    hall_symbol: str | None = None
    """The symmetry of all crystals, where the files are to be overruled."""
    free_beam: bool = False
    """Refine the beam's tilt towards the spindle."""

    def content(self) -> dict[str, Any]:
        """The same as plain values, for the calibration's record."""
        return {
            "freedom": self.freedom.value,
            "prior_shift_um": self.prior.shift_mm * 1e3,
            "prior_normal_um": self.prior.normal_mm * 1e3,
            "prior_tilt_mrad": self.prior.tilt_rad * 1e3,
            "ignore_flags": self.ignore_flags,
            "pose": "per-experiment" if self.pose_per_experiment else "shared",
            "hall_symbol": self.hall_symbol,
            "free_beam": self.free_beam,
        }
