"""The difference of two calibrations of one detector, and its significance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints, frozen
from calib.model.detector.correction import N_PARAMETERS


class Verdict(StrEnum):
    """The verdict of a comparison."""

    SAME = "same"
    """No significant difference."""
    DRIFTED = "drifted"
    """A significant difference."""
    METHOD = "method changed"
    """They were derived with different versions of the method, which may explain a difference."""
    REPLACED = "panel replaced"
    """One or a few panels moved far more than the others, as a replaced panel would."""


@dataclass(frozen=True, slots=True)
class UncertaintyParts:
    """What the uncertainty of a difference consists of: standard uncertainties in um of shifts in
    the plane, as root mean squares over the panels. Their squares add up."""

    noise_um: float
    """Of the measurement, including heights that were fixed."""
    repeatability_um: float
    """Of a detector that has not changed, from one occasion to another."""
    model_um: float | None
    """From the choice of model; None if it was not estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """The second calibration minus the first one, without rigid motions of the whole detector."""

    verdict: Verdict
    moved: tuple[int, ...]
    """The panels that moved significantly, allowing for multiple tests; ascending."""
    parameters: tuple[int, ...]
    """Indices into ``PANEL_PARAMETERS`` of the parameters that both calibrations refined."""
    shift: Floats
    """(n, 6) in mm and rad in each panel's nominal frame; NaN if not compared."""
    sigma: Floats
    """(n, 6) standard uncertainties of ``shift``; NaN if not compared."""
    motion_mm: Floats
    """(n,) root mean square motion of each panel's corners; NaN if not compared."""
    panel_chi_square: Floats
    """(n,)"""
    panel_degrees: Ints
    """(n,) degrees of freedom; 0 if not compared."""
    panel_p_value: Floats
    """(n,) probability of such a shift by chance; 1 if not compared."""
    panel_p_holm: Floats
    """(n,) the same, corrected for the number of panels (Holm 1979)."""
    chi_square: float
    """Of all panels."""
    degrees_of_freedom: int
    p_value: float
    shared: tuple[float, float]
    """Fractions of the reflections of the first and of the second that are in common datasets."""
    notes: tuple[str, ...]
    """Remarks on the validity of the comparison."""
    parts: UncertaintyParts = UncertaintyParts(0.0, 0.0, None)
    """What the uncertainty of the difference consists of."""
    repeat_mm: float = 0.0
    """The repeatability of a panel on one occasion (1 sigma) that was allowed for."""

    def __post_init__(self) -> None:
        n = len(self.shift)
        for name, dtype, shape in (
            ("shift", float, (n, N_PARAMETERS)),
            ("sigma", float, (n, N_PARAMETERS)),
            ("motion_mm", float, (n,)),
            ("panel_chi_square", float, (n,)),
            ("panel_degrees", int, (n,)),
            ("panel_p_value", float, (n,)),
            ("panel_p_holm", float, (n,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, shape, name))
        if any(not 0 <= panel < n for panel in self.moved):
            raise InputError("bad-panel", f"{self.moved} are not all among {n} panels.")

    @property
    def compared(self) -> tuple[int, ...]:
        """The panels measured by both calibrations."""
        return tuple(np.flatnonzero(np.isfinite(self.motion_mm)).tolist())
