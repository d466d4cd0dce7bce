"""Exact elimination of crystals and poses from the normal equations of a dataset.

The Schur complement S = N_pp - N_pu N_uu^-1 N_up leaves equations for the panels alone. Crystals
are eliminated first, then the pose (and the beam's tilt if it is free). Directions of the nuisance
parameters that the data do not determine take no step and carry no information.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.bspline import Penalty
from calib.solve.algebra.linalg import inverse
from calib.solve.algebra.priors import BeamPrior, PosePrior, SpindlePrior
from calib.solve.algebra.whitening import whiten
from calib.solve.dataset.crystal_equations import (
    CrystalElimination,
    crystal_equations,
    learned_penalty,
)
from calib.solve.dataset.normal_equations import POSE_COLUMNS, TAIL_COLUMNS, Blocks
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, SHIFT_DEGREES, Step
from calib.solve.dataset.prediction import PANEL_COLUMNS, Predictor


@dataclass(frozen=True, slots=True, eq=False)
class SchurComplement(PanelEquations):
    """Normal equations over the panels' tangent motions, with what recovers the nuisance steps."""

    null_directions: tuple[str, ...]
    """Descriptions of undetermined directions of pose and beam."""
    crystals: tuple[CrystalElimination, ...]
    pose_back: Floats
    pose_reach: Floats
    n_poses: int
    n_experiments: int
    coefficients: tuple[int, ...]
    """Number of spline coefficients of each crystal; 1 if it is static."""
    n_determined: int
    """Number of nuisance parameters that data and priors determine."""
    n_from_data: float
    """Number of parameters of crystals that data determine rather than priors."""
    penalty: Penalty

    def panel_equations(self) -> PanelEquations:
        """The panel equations alone."""
        return PanelEquations(self.information, self.vector, self.panel_information)

    def largest_shift(self) -> float:
        """Largest shift of the nuisance parameters with fixed panels, in sigma.

        The shifts are whitened, those of crystals without the part that follows from pose and beam.
        The sum of their squares is the decrease of chi-square by the step, and its root bounds the
        shift of any parameter in its own sigma, however correlated pose and crystals are.
        """
        steps = [one.reach[:, -1] for one in self.crystals]
        return float(np.abs(np.concatenate([self.pose_reach[:, -1], *steps])).max(initial=0.0))

    def nuisance_step(self, panel_step: Floats) -> Step:
        """The step of pose, crystals and beam that belongs to a step of the panels (6 n,)."""
        reach = self.pose_reach
        rigid = self.pose_back @ (reach[:, -1] - reach[:, :-1] @ panel_step)
        known = np.concatenate([panel_step, rigid])
        deviation = np.zeros((self.n_poses, POSE_COLUMNS))
        shift_mm = np.zeros((self.n_experiments, SHIFT_DEGREES, 3))
        crystal = [np.zeros((count, CRYSTAL_COLUMNS)) for count in self.coefficients]
        for one in self.crystals:
            own = one.basis @ (one.back @ (one.reach[:, -1] - one.reach[:, :-1] @ known))
            columns = one.columns
            crystal[one.crystal] = own[: columns.n_crystal].reshape(-1, CRYSTAL_COLUMNS)
            for place, experiment in enumerate(columns.posed):
                deviation[experiment] = own[columns.pose(place)]
            for place, experiment in enumerate(columns.shifting):
                shift_mm[experiment] = own[columns.shift(place)].reshape(SHIFT_DEGREES, 3)
        beam_rad = float(rigid[POSE_COLUMNS])
        return Step(rigid[:POSE_COLUMNS], deviation, tuple(crystal), beam_rad, shift_mm)


def eliminate(
    blocks: Blocks,
    predictor: Predictor,
    *,
    beam_prior: BeamPrior | None,
    pose_prior: PosePrior | None,
    penalty: Penalty,
    learn: bool = False,
) -> SchurComplement:
    """Normal equations of one dataset with crystals and pose eliminated.

    Without ``beam_prior`` the beam is held. With ``pose_prior`` each experiment has its own pose,
    restrained by this prior; with None all share one pose. ``penalty`` restrains crystals to be
    smooth and symmetric; with ``learn`` the search for the penalty under which they are most likely
    starts from it.
    """
    held = predictor.instrument
    n = predictor.panel_half_mm.shape[1]
    panels = slice(0, PANEL_COLUMNS * n)
    rhs = panels.stop + POSE_COLUMNS + 1
    panel_information = np.zeros((n, PANEL_COLUMNS, PANEL_COLUMNS))
    coupling = np.zeros((n, PANEL_COLUMNS, TAIL_COLUMNS))
    total = np.zeros((rhs + 1, rhs + 1))
    by_crystal = blocks.by_crystal(held.crystal)
    for own in [one for sums in by_crystal.values() for one in sums.values()]:
        panel_information[own.panel] += own.panels
        coupling[own.panel] += own.panels_detector[:, :, :TAIL_COLUMNS]
        total[panels.stop :, panels.stop :] += own.detector[:TAIL_COLUMNS, :TAIL_COLUMNS]
    for p in range(n):
        rows = slice(PANEL_COLUMNS * p, PANEL_COLUMNS * (p + 1))
        total[rows, rows] = panel_information[p]
    total[panels, panels.stop :] = coupling.reshape(PANEL_COLUMNS * n, -1)
    total[panels.stop :, panels] = total[panels, panels.stop :].T

    equations = tuple(
        crystal_equations(sums, crystal, held, predictor.nuisance, n, prior=pose_prior)
        for crystal, sums in by_crystal.items()
    )
    crystals = tuple(one.eliminate(penalty) for one in equations)
    if held.order > 1:
        rotation = panels.stop + POSE_COLUMNS - 1
        spindle = SpindlePrior().information
        total[rotation, rotation] += spindle
        total[rotation, -1] -= spindle * predictor.nuisance.about_beam_rad
        total[-1, rotation] = total[rotation, -1]
    if learn:
        others = _covariance_of_rest(total, crystals, n, beam_prior)
        penalty = learned_penalty(equations, crystals, others, penalty)
        crystals = tuple(one.eliminate(penalty) for one in equations)
    del equations
    alone = np.diag(total)[panels.stop : rhs].copy()
    if crystals:
        reach = np.concatenate([one.reach for one in crystals])
        total -= reach.T @ reach
    rest = PoseElimination.of(
        total, alone, beam_prior=beam_prior, beam_rad=predictor.nuisance.beam_rad
    )
    return SchurComplement(
        information=rest.information,
        vector=rest.vector,
        panel_information=panel_information,
        null_directions=rest.null_directions,
        crystals=crystals,
        pose_back=rest.back,
        pose_reach=rest.reach,
        n_poses=len(predictor.nuisance.rotation),
        n_experiments=len(held.still),
        coefficients=held.coefficients,
        n_determined=rest.back.shape[1] + sum(one.back.shape[1] for one in crystals),
        n_from_data=sum(one.n_from_data for one in crystals),
        penalty=penalty,
    )


def _covariance_of_rest(
    total: Floats,
    crystals: Sequence[CrystalElimination],
    n_panels: int,
    beam_prior: BeamPrior | None,
) -> Floats:
    """(6 n + 7, 6 n + 7) covariance of panels, pose and beam, from the sums ``total`` and a wide
    prior of the panels; a beam that is held has none."""
    matrix = total[:-1, :-1].copy()
    for one in crystals:
        matrix -= one.reach[:, :-1].T @ one.reach[:, :-1]
    panels = np.tile(_WIDE**-2.0, n_panels)
    beam = _HELD if beam_prior is None else beam_prior.information
    pose = _NULL * np.diag(total)[len(panels) : -2] + 1e-300
    matrix[np.diag_indices(len(matrix))] += np.concatenate([panels, pose, [beam]])
    return inverse(matrix)


@dataclass(frozen=True, slots=True, eq=False)
class PoseElimination:
    """Normal equations of the panels with pose (and beam) eliminated."""

    information: Floats
    """(6 n, 6 n)"""
    vector: Floats
    """(6 n,)"""
    null_directions: tuple[str, ...]
    back: Floats
    """(7, r) from whitened directions to pose and beam."""
    reach: Floats
    """(r, 6 n + 1) whitened coupling to panels and right-hand side."""

    @staticmethod
    def of(
        total: Floats, alone: Floats, *, beam_prior: BeamPrior | None, beam_rad: float
    ) -> PoseElimination:
        """From sums over panels, pose, beam and residual; ``alone`` is the diagonal over pose and,
        where it is free, beam before crystals were eliminated. ``beam_rad`` is how far the beam
        has tilted from where the prior expects it."""
        first = len(total) - POSE_COLUMNS - 2
        free_beam = beam_prior is not None
        if beam_prior is not None:
            total, alone, beam = total.copy(), alone.copy(), first + POSE_COLUMNS
            total[beam, beam] += beam_prior.information
            alone[POSE_COLUMNS] += beam_prior.information
            total[beam, -1] -= beam_prior.information * beam_rad
            total[-1, beam] = total[beam, -1]
        free = list(range(first, first + POSE_COLUMNS + int(free_beam)))
        keep = [*range(first), len(total) - 1]
        back, words = whiten(total[np.ix_(free, free)], alone[: len(free)], _POSE_WORDS)
        reach = back.T @ total[np.ix_(free, keep)]
        full_back = np.zeros((POSE_COLUMNS + 1, back.shape[1]))
        full_back[: len(free)] = back
        rest_equations = total[np.ix_(keep, keep)] - reach.T @ reach
        information = 0.5 * (rest_equations[:-1, :-1] + rest_equations[:-1, :-1].T)
        return PoseElimination(information, rest_equations[:-1, -1], words, full_back, reach)


_WIDE = np.array([0.1] * 3 + [1e-3] * 3)
"""Tolerances of panels in mm and rad."""
_HELD = 1e20
_NULL = 1e-9
_POSE_WORDS = (
    "shift of the whole detector along laboratory x",
    "shift of the whole detector along laboratory y",
    "distance of the whole detector",
    "tilt of the whole detector about laboratory x",
    "tilt of the whole detector about laboratory y",
    "rotation of the whole detector about the beam",
    "tilt of the beam towards the spindle",
)
