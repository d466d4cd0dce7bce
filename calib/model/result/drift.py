"""How far two calibrations of one detector differ, and whether that means anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints, frozen
from calib.model.detector.correction import N_PARAMETERS


class Verdict(StrEnum):
    """What a comparison comes to."""

    SAME = "same"
    """Nothing that chance does not explain."""
    DRIFTED = "drifted"
    """They differ by more than chance explains."""
    REPLACED = "panel replaced"
    """One or a few panels moved far more than the others, as far as a swapped panel would stand."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """The second calibration minus the first one, rigid motions of the whole detector taken out."""

    verdict: Verdict
    moved: tuple[int, ...]
    """The panels that moved for certain, whatever the number of panels looked at; ascending."""
    parameters: tuple[int, ...]
    """Indices into ``PANEL_PARAMETERS`` of what both calibrations refined and is compared."""
    shift: Floats
    """(n, 6) in mm and rad in each panel's nominal frame; NaN where it was not compared."""
    sigma: Floats
    """(n, 6) standard uncertainties of ``shift``; NaN where it was not compared."""
    motion_mm: Floats
    """(n,) root mean square motion of each panel's corners; NaN where it was not compared."""
    panel_chi_square: Floats
    """(n,)"""
    panel_degrees: Ints
    """(n,) 0 where the panel was not compared."""
    panel_p_value: Floats
    """(n,) how likely such a shift of this panel is by chance; 1 where it was not compared."""
    panel_p_holm: Floats
    """(n,) the same, held against the number of panels (Holm 1979)."""
    chi_square: float
    """Of all panels together."""
    degrees_of_freedom: int
    p_value: float
    shared: tuple[float, float]
    """Share of the first and of the second one's reflections that come from common datasets."""
    notes: tuple[str, ...]
    """What a person should know before he believes it."""

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
        """The panels that both calibrations measured."""
        return tuple(np.flatnonzero(np.isfinite(self.motion_mm)).tolist())
