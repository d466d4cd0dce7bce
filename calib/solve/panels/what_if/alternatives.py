"""Equations of the panels under other choices of the derivation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from calib.model.detector.correction import Correction, Freedom
from calib.model.result.report import LearnedPrior
from calib.model.result.what_if import Choice
from calib.solve.algebra.rigid_motion import tangents_from_parameters
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """Sums over all datasets of the panel equations under other choices.

    The data are in m parts, of which each is predicted from the others: datasets, or the halves of
    alternate blocks of a single one.
    """

    parts: tuple[PanelEquations, ...]
    """(m,) equations of each part, as derived."""
    chi_square: float
    """Sum of squared residuals of all parts."""
    rows: Mapping[Choice, tuple[PanelEquations, tuple[PanelEquations, ...]]]
    """By choice: the equations of all data and of each part."""
    datasets: Mapping[tuple[Choice, int], PanelEquations]
    """By choice and place of a dataset: the equations of all data, if it is changed in it alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of the panels: what is free, the prior, and the point of linearisation."""

    system: PanelSystem
    start: Correction
    offset: np.ndarray
    """(6 n,) tangent motion of the panels from the solution to ``start``."""

    @staticmethod
    def of(system: PanelSystem, correction: Correction) -> Model:
        """The model of ``system``, with its fixed parameters at nominal."""
        values = np.zeros_like(correction.values)
        values[:, system.freedom.free] = correction.values[:, system.freedom.free]
        away = values - correction.values
        to_tangent = tangents_from_parameters(correction)
        offset = np.einsum("pab,pb->pa", to_tangent, away).ravel()
        return Model(system, Correction(values), offset)

    def at_start(self, equations: PanelEquations) -> PanelEquations:
        """Equations that were linearised at the solution, at ``start``."""
        if not self.offset.any():
            return equations
        return replace(equations, vector=equations.vector - equations.information @ self.offset)


def other_models(system: PanelSystem, correction: Correction) -> dict[Choice, Model]:
    """The models with other freedom of the panels, and with prior widths halved and doubled."""
    layout, free = system.layout, system.freedom
    other = Freedom.FULL if free is Freedom.IN_PLANE else Freedom.IN_PLANE
    choice = Choice.FULL if free is Freedom.IN_PLANE else Choice.IN_PLANE
    systems = {
        choice: PanelSystem(layout, other, system.prior),
        Choice.PRIOR_HALVED: PanelSystem(layout, free, _scaled(system.prior, 0.5)),
        Choice.PRIOR_DOUBLED: PanelSystem(layout, free, _scaled(system.prior, 2.0)),
    }
    return {choice: Model.of(own, correction) for choice, own in systems.items()}


def _scaled(prior: PanelPrior, factor: float) -> PanelPrior:
    """The prior with all widths multiplied by a factor."""
    learned = prior.learned
    if learned is None:
        return replace(
            prior,
            shift_mm=factor * prior.shift_mm,
            normal_mm=factor * prior.normal_mm,
            tilt_rad=factor * prior.tilt_rad,
        )
    levels = tuple(
        replace(
            one,
            shift_mm=factor * one.shift_mm,
            normal_mm=factor * one.normal_mm,
            tilt_rad=factor * one.tilt_rad,
        )
        for one in learned.levels
    )
    return replace(prior, learned=LearnedPrior(levels, learned.deviating))
