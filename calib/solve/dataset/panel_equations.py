"""Normal equations of the panels, with crystals and poses eliminated."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.base.arrays import Floats


@dataclass(frozen=True, slots=True, eq=False)
class PanelEquations:
    """Normal equations of one dataset, or a sum of several, over the panels' tangent motions."""

    information: Floats
    """(6 n, 6 n) normal matrix."""
    vector: Floats
    """(6 n,) right-hand side."""
    panel_information: Floats
    """(n, 6, 6) information of each panel's own reflections if all else were known."""

    def plus(self, other: PanelEquations) -> PanelEquations:
        """Sum of both."""
        return PanelEquations(
            self.information + other.information,
            self.vector + other.vector,
            self.panel_information + other.panel_information,
        )

    def minus(self, other: PanelEquations) -> PanelEquations:
        """Difference, for ``other`` that is part of the sum."""
        return PanelEquations(
            self.information - other.information,
            self.vector - other.vector,
            self.panel_information - other.panel_information,
        )
