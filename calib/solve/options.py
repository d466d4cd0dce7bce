"""What a person may choose about a solution."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from calib.model.detector.correction import Freedom
from calib.model.detector.layout import Layout
from calib.solve.prior import PanelPrior


class Crystals(StrEnum):
    """Whether crystals may change along their scans."""

    AUTO = "auto"
    """In scans of more than 90 degrees, where held-out reflections are the better for it."""
    STATIC = "static"
    """No crystal changes."""
    VARYING = "varying"
    """Every crystal that was measured in one scan of three intervals or more."""


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
    crystals: Crystals = Crystals.AUTO
    """Whether crystals may change smoothly along their scans."""
    crystal_interval_rad: float | None = None
    """Length of a spline's intervals; None: chosen from the data."""

    keep_all: bool = False
    """Keep datasets and experiments that do not fit the others."""

    def content(self, layout: Layout) -> dict[str, Any]:
        """The same as plain values, for the record of a calibration of such panels."""
        return {
            "freedom": self.freedom.value,
            **self.prior.content(layout),
            "ignore_flags": self.ignore_flags,
            "pose": "per-experiment" if self.pose_per_experiment else "shared",
            "hall_symbol": self.hall_symbol,
            "free_beam": self.free_beam,
            "crystals": self.crystals.value,
            "keep_all": self.keep_all,
            "crystal_interval_deg": (
                None
                if self.crystal_interval_rad is None
                else float(np.degrees(self.crystal_interval_rad))
            ),
        }
