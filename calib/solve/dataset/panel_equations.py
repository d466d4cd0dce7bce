"""What datasets say of the panels alone, as normal equations."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.base.arrays import Floats


@dataclass(frozen=True, slots=True, eq=False)
class PanelEquations:
    """What one dataset, or several together, say of the panels' tangent motions."""

    information: Floats
    """(6 n, 6 n)"""
    vector: Floats
    """(6 n,)"""
    panel_information: Floats
    """(n, 6, 6) what each panel's reflections would say with everything else known."""

    def plus(self, other: PanelEquations) -> PanelEquations:
        """Both together."""
        return PanelEquations(
            self.information + other.information,
            self.vector + other.vector,
            self.panel_information + other.panel_information,
        )

    def minus(self, other: PanelEquations) -> PanelEquations:
        """Without ``other``, which is part of it."""
        return PanelEquations(
            self.information - other.information,
            self.vector - other.vector,
            self.panel_information - other.panel_information,
        )
