"""Comparisons of parts of the data of a derivation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Compared(StrEnum):
    """What is compared."""

    HALVES = "halves"
    """The first halves of the scans of a dataset with the last ones."""
    DATASET = "dataset"
    """A dataset with all others."""
    DISTANCE = "distance"
    """The datasets at one distance with all others."""
    OCCASION = "occasion"
    """The datasets of one occasion, such as a night, with all others."""


class Agreement(StrEnum):
    """The outcome of a comparison."""

    AGREES = "agrees"
    """No difference that is significant and large enough to matter."""
    DISAGREES = "disagrees"
    """A difference that is both."""
    NOT_TESTED = "not tested"
    """The data could not show a difference three times larger than what matters."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A part of the data against other parts, by the panels that each finds."""

    kind: Compared
    datasets: tuple[int, ...]
    """The datasets of the part, by their place in the report."""
    agreement: Agreement
    chi_square: float
    """Of displacements in the plane, against noise alone."""
    degrees_of_freedom: int
    p_value: float
    """Probability of larger displacements by chance, from noise and repeatability together,
    corrected for the number of comparisons."""
    size_um: float
    """Displacement beyond expectation, as the root mean square over the panels."""
    visible_um: float | None
    """The smallest such displacement that the comparison could show; None if it could show none."""
    panels: tuple[int, ...]
    """Panels that are displaced significantly, where the parts disagree."""
    worst_panel: int
    """The most significantly displaced panel."""
    worst_um: float
    """Its displacement beyond expectation."""

    @property
    def chi_square_per_degree(self) -> float:
        """Chi-square per degree of freedom; 1 is expected from noise."""
        return self.chi_square / max(self.degrees_of_freedom, 1)


@dataclass(frozen=True, slots=True)
class Repeatability:
    """How well panels repeat from one occasion to another, beyond noise (1 sigma in um)."""

    panel_um: float
    """Of each panel along each of its axes: the estimate, shrunk to what was known before."""
    estimated_um: float
    """The estimate from these data alone."""
    at_least_um: float
    """The estimate less two standard errors."""
    before_um: float
    """What was known before: the default."""
    n_occasions: int
    """The number of independent occasions."""
