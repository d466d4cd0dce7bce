"""The sensitive layer."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.experiment.experiment import Sensors
from calib.simulate.effects.effect import Effect


@dataclass(frozen=True, slots=True)
class SensorThickness(Effect):
    """The sensor is thicker than the file states, so that the parallax correction is wrong.

    Spots move outwards with 2 theta by the error of the mean depth of absorption. Files often give
    320 um for sensors of 450 um or 1 mm. The depth is that of dxtbx (``parallax_correction.h``).
    It needs ``sensor_mm`` of the plan.
    """

    ratio: float = 1.1
    """True over stated thickness."""
    mu_ratio: float = 1.0
    """True over stated absorption coefficient."""

    def sensors(self, stated: Sensors) -> Sensors:
        """The true layer."""
        return Sensors(
            stated.parallax, self.mu_ratio * stated.mu_per_mm, self.ratio * stated.thickness_mm
        )
