"""Options of the solver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from calib.model.detector.correction import Freedom
from calib.model.detector.layout import Layout
from calib.solve.prior import PanelPrior


class Crystals(StrEnum):
    """How crystals are modelled along their scans."""

    AUTO = "auto"
    """Scan-varying for every crystal measured in one scan only."""
    STATIC = "static"
    """Static in all scans."""
    VARYING = "varying"
    """The same as ``AUTO``; they differed in version 1 of the method."""


class WhatIfRows(StrEnum):
    """Which rows of the what-if table are computed."""

    BRIEF = "brief"
    """Those that follow from equations that are accumulated already."""
    FULL = "full"
    """Those, too, that need a further pass over the reflections or leave out halves of scans."""


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """Options of a derivation; the defaults suit rotation data from a rigidly mounted detector.

    Attributes
    ----------
    freedom
        Which of the six panel parameters are free.
    prior
        Assembly tolerances of panels and groups.
    ignore_flags
        Use reflections that were flagged as outliers or excluded before.
    obey_flags
        Exclude reflections that were flagged as outliers before, in place of judging them anew.
    pose_per_experiment
        Refine a pose for each experiment of a file, restrained to a common pose.
    hall_symbol
        Hall symbol of the space group of all crystals; None: as in the files.
    free_beam
        Refine the tilt of the beam towards the spindle in scans, with a prior of 1 mrad.
    free_strain
        Refine strains that the symmetry forbids, with a prior whose width is learned, from 0.1 %
        on; not in crystals that are eliminated in batches.
    free_shift
        Refine a shift of the spots that is smooth in time, in scans whose crystals vary, with a
        prior whose width is learned.
    crystals
        How crystals are modelled along their scans.
    crystal_interval_rad
        Length of a spline interval in rad; None: the smaller of 15 degrees and a third of a scan.
    keep_all
        Keep datasets and experiments that appear to be misindexed.
    what_if
        Which rows of the what-if table are computed.
    """

    freedom: Freedom
    prior: PanelPrior
    ignore_flags: bool = False
    obey_flags: bool = False
    pose_per_experiment: bool = False
    hall_symbol: str | None = None
    free_beam: bool = True
    free_strain: bool = True
    free_shift: bool = True
    crystals: Crystals = Crystals.AUTO
    crystal_interval_rad: float | None = None
    keep_all: bool = False
    what_if: WhatIfRows = WhatIfRows.BRIEF

    def content(self, layout: Layout) -> dict[str, Any]:
        """The options as plain values, as a calibration of panels of this layout records them."""
        return {
            "freedom": self.freedom.value,
            **self.prior.content(layout),
            "ignore_flags": self.ignore_flags,
            **({"obey_flags": True} if self.obey_flags else {}),
            "pose": "per-experiment" if self.pose_per_experiment else "shared",
            "hall_symbol": self.hall_symbol,
            "free_beam": self.free_beam,
            "free_strain": self.free_strain,
            "free_shift": self.free_shift,
            "crystals": self.crystals.value,
            "keep_all": self.keep_all,
            **({} if self.what_if is WhatIfRows.BRIEF else {"what_if": self.what_if.value}),
            "crystal_interval_deg": (
                None
                if self.crystal_interval_rad is None
                else float(np.degrees(self.crystal_interval_rad))
            ),
        }
