"""What-if table: how far panels move where one choice of the derivation is made otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.result.drift import UncertaintyParts


class Choice(StrEnum):
    """What is done otherwise in a row of the table."""

    SYMMETRY_IMPOSED = "symmetry imposed"
    """Cells have exactly the symmetry of their space group."""
    SYMMETRY_FREED = "symmetry freed"
    """Cells deviate from it."""
    BEAM_HELD = "beam held"
    """The beam has the tilt towards the spindle that the files state."""
    BEAM_FREED = "beam freed"
    """That tilt is refined."""
    SHIFT_HELD = "shift held"
    """Spots do not shift along scans."""
    CRYSTALS_STATIC = "crystals static"
    """Neither crystals nor positions of spots change along scans."""
    IN_PLANE = "in-plane"
    """Panels stay at their nominal heights and tilts."""
    FULL = "full"
    """Heights and tilts of panels are refined."""
    PRIOR_HALVED = "prior halved"
    """The panels' deviations are expected to be half as large."""
    PRIOR_DOUBLED = "prior doubled"
    """They are expected to be twice as large."""
    PHI = "phi down-weighted"
    """Observed phi, or delta-psi, has ten times the standard deviation."""
    FLAGS = "flags obeyed"
    """Without the reflections that the files flag as outliers."""
    WITHOUT_DATASET = "without dataset"
    """Without the data of a dataset."""
    WITHOUT_DISTANCE = "without distance"
    """Without the data at one distance."""
    WITHOUT_FIRST = "without first halves"
    """Without the first halves of a dataset's scans."""
    WITHOUT_LAST = "without last halves"
    """Without the last halves of a dataset's scans."""


SUBSETS = frozenset(
    {
        Choice.FLAGS,
        Choice.WITHOUT_DATASET,
        Choice.WITHOUT_DISTANCE,
        Choice.WITHOUT_FIRST,
        Choice.WITHOUT_LAST,
    }
)
"""Rows that use fewer data rather than another model."""
NARROWER = frozenset(
    {
        Choice.SYMMETRY_IMPOSED,
        Choice.BEAM_HELD,
        Choice.SHIFT_HELD,
        Choice.CRYSTALS_STATIC,
        Choice.IN_PLANE,
        Choice.PRIOR_HALVED,
    }
)
"""Rows of models with more constraints."""
SIGNIFICANT, NAMED_UM = 1e-6, 5.0
"""A row that moves panels by more than this, with a smaller probability by chance, is named."""


@dataclass(frozen=True, slots=True)
class WhatIfRow:
    """How far the measured panels move, without rigid motions of all, if a choice is changed."""

    choice: Choice
    in_plane_um: float
    """Root mean square length of the shifts in the plane."""
    normal_um: float | None
    """Root mean square shift along the normal; None where it is fixed in either model."""
    panel: int
    """The panel with the largest shift in the plane."""
    largest_um: float
    """Its length."""
    sigma: float
    """Root mean square of dx and dy in their standard uncertainties."""
    chi_square: float
    """Of the motion of all panels, against what noise alone makes of it."""
    degrees_of_freedom: int
    p_value: float
    """Probability of a larger chi-square by chance."""
    datasets: tuple[int, ...] = ()
    """The data that are left out, by place of their datasets in the report."""
    prediction: float | None = None
    """Relative change of the root mean square residual of data that were left out; positive where
    the row predicts them worse. None where it was not computed."""
    prediction_sigma: float | None = None
    """Its standard error."""
    weight: float | None = None
    """Weight with which the row adds to the uncertainty of the model; None for rows that do not."""

    @property
    def is_named(self) -> bool:
        """Whether another model moves the panels significantly, and by more than 5 um.

        Fixed heights and other prior widths are expected to move them.
        """
        expected = self.choice in SUBSETS or self.choice in (
            Choice.IN_PLANE,
            Choice.PRIOR_HALVED,
            Choice.PRIOR_DOUBLED,
        )
        return not expected and self.p_value < SIGNIFICANT and self.in_plane_um > NAMED_UM


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The rows of the table, and the uncertainty of the choice of model."""

    rows: tuple[WhatIfRow, ...]
    parts: UncertaintyParts
    """What the uncertainty of dx and dy of a measured panel consists of."""
    model: tuple[tuple[float, ...], ...] | None = None
    """(r, n f) displacements v of the f free parameters of n panels in mm and rad: the covariance
    that comes from the choice of model is the sum of v v^T. None where it was not estimated."""

    def covariance(self, n_parameters: int) -> Floats | None:
        """Covariance of the n f parameters that comes from the choice of model; None: not
        estimated."""
        if self.model is None:
            return None
        vectors = np.array(self.model, dtype=np.float64).reshape(-1, n_parameters)
        return np.asarray(vectors.T @ vectors)

    @property
    def named(self) -> tuple[WhatIfRow, ...]:
        """Rows of other models that move the panels significantly."""
        return tuple(row for row in self.rows if row.is_named)
