"""Exact elimination of crystals and poses from the normal equations of a dataset.

The Schur complement S = N_pp - N_pu N_uu^-1 N_up leaves equations for the panels alone. Crystals
are eliminated first, then the pose (and the beam's tilt if it is free). Directions of the nuisance
parameters that the data do not determine take no step and carry no information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.bspline import Penalty
from calib.solve.algebra.rigid_motion import adjoints
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from calib.solve.dataset.prediction import PANEL_COLUMNS, Predictor
from calib.solve.dataset.whitening import (
    POSE_COLUMNS,
    BlocksWithPose,
    CrystalElimination,
    PosePrior,
    eliminate_crystal,
    whiten,
)


@dataclass(frozen=True, slots=True, eq=False)
class SchurComplement(PanelEquations):
    """Normal equations over the panels' tangent motions, with what recovers the nuisance steps."""

    null_directions: tuple[str, ...]
    """Descriptions of undetermined directions of pose and beam."""
    crystals: tuple[CrystalElimination, ...]
    pose_back: Floats
    pose_reach: Floats
    n_poses: int
    coefficients: tuple[int, ...]
    """Number of spline coefficients of each crystal; 1 if it is static."""
    n_determined: int
    """Number of nuisance parameters that the data determine."""

    def panel_equations(self) -> PanelEquations:
        """The panel equations alone."""
        return PanelEquations(self.information, self.vector, self.panel_information)

    def largest_shift(self, panel_step: Floats) -> float:
        """Largest component of ``nuisance_step`` along a determined direction, in sigma."""
        rigid = self.pose_reach[:, -1] - self.pose_reach[:, :-1] @ panel_step
        known = np.concatenate([panel_step, self.pose_back @ rigid])
        steps = [one.reach[:, -1] - one.reach[:, :-1] @ known for one in self.crystals]
        return float(np.abs(np.concatenate([rigid, *steps])).max(initial=0.0))

    def nuisance_step(self, panel_step: Floats) -> Step:
        """The step of pose, crystals and beam that belongs to a step of the panels (6 n,)."""
        reach = self.pose_reach
        rigid = self.pose_back @ (reach[:, -1] - reach[:, :-1] @ panel_step)
        known = np.concatenate([panel_step, rigid])
        deviation = np.zeros((self.n_poses, POSE_COLUMNS))
        crystal = [np.zeros((count, CRYSTAL_COLUMNS)) for count in self.coefficients]
        for one in self.crystals:
            own = one.basis @ (one.back @ (one.reach[:, -1] - one.reach[:, :-1] @ known))
            n_cells = crystal[one.crystal].size
            crystal[one.crystal] = own[:n_cells].reshape(-1, CRYSTAL_COLUMNS)
            for place, experiment in enumerate(one.experiments):
                first = n_cells + POSE_COLUMNS * place
                deviation[experiment] = own[first : first + POSE_COLUMNS]
        return Step(rigid[:POSE_COLUMNS], deviation, tuple(crystal), float(rigid[POSE_COLUMNS]))


def eliminate(
    blocks: Blocks,
    predictor: Predictor,
    *,
    about_mm: Floats,
    free_beam: bool,
    pose_prior: PosePrior | None,
    penalty: Penalty,
) -> SchurComplement:
    """Normal equations of one dataset with crystals and pose eliminated.

    ``about_mm`` (3,) is the centre of rotation of the pose. With ``pose_prior`` each experiment has
    its own pose, restrained by this prior; with None all share one pose. ``penalty`` restrains
    scan-varying crystals to be smooth.
    """
    held = predictor.instrument
    n = predictor.panel_half_mm.shape[1]
    n_poses = len(predictor.nuisance.rotation)
    panels = slice(0, PANEL_COLUMNS * n)
    poses = slice(panels.stop, panels.stop + POSE_COLUMNS)
    rhs = poses.stop + 1
    moves = adjoints(
        predictor.panel_rotation.transpose(2, 3, 0, 1),
        predictor.panel_centre_mm.transpose(1, 2, 0),
        about_mm,
    )[held.pose[blocks.experiment], blocks.panel]
    wide = BlocksWithPose.of(blocks, moves)

    total = np.zeros((rhs + 1, rhs + 1))
    panel_information = np.zeros((n, PANEL_COLUMNS, PANEL_COLUMNS))
    np.add.at(panel_information, blocks.panel, blocks.matrices[:, :PANEL_COLUMNS, :PANEL_COLUMNS])
    for p in range(n):
        own = slice(PANEL_COLUMNS * p, PANEL_COLUMNS * (p + 1))
        total[own, own] = panel_information[p]
    tail = wide.tail
    coupling = np.zeros((n, PANEL_COLUMNS, len(tail)))
    np.add.at(coupling, blocks.panel, wide.matrices[:, :PANEL_COLUMNS, tail])
    total[panels, poses.start :] = coupling.reshape(PANEL_COLUMNS * n, -1)
    total[poses.start :, panels] = total[panels, poses.start :].T
    total[poses.start :, poses.start :] = wide.matrices[:, tail][:, :, tail].sum(axis=0)

    crystals = tuple(
        eliminate_crystal(
            wide, crystal, held, predictor.nuisance, n, prior=pose_prior, penalty=penalty
        )
        for crystal in range(len(held.strains))
        if (held.crystal[blocks.experiment] == crystal).any()
    )
    alone = np.diag(total)[poses.start : rhs].copy()
    if crystals:
        reach = np.concatenate([one.reach for one in crystals])
        total -= reach.T @ reach
    rest = PoseElimination.of(total, alone, free_beam=free_beam)
    return SchurComplement(
        information=rest.information,
        vector=rest.vector,
        panel_information=panel_information,
        null_directions=rest.null_directions,
        crystals=crystals,
        pose_back=rest.back,
        pose_reach=rest.reach,
        n_poses=n_poses,
        coefficients=held.coefficients,
        n_determined=rest.back.shape[1] + sum(one.back.shape[1] for one in crystals),
    )


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
    def of(total: Floats, alone: Floats, *, free_beam: bool) -> PoseElimination:
        """From sums over panels, pose, beam and residual; ``alone`` is the diagonal over pose and,
        where it is free, beam before crystals were eliminated."""
        first = len(total) - POSE_COLUMNS - 2
        free = list(range(first, first + POSE_COLUMNS + int(free_beam)))
        keep = [*range(first), len(total) - 1]
        back, words = whiten(total[np.ix_(free, free)], alone[: len(free)], _POSE_WORDS)
        reach = back.T @ total[np.ix_(free, keep)]
        full_back = np.zeros((POSE_COLUMNS + 1, back.shape[1]))
        full_back[: len(free)] = back
        rest_equations = total[np.ix_(keep, keep)] - reach.T @ reach
        information = 0.5 * (rest_equations[:-1, :-1] + rest_equations[:-1, :-1].T)
        return PoseElimination(information, rest_equations[:-1, -1], words, full_back, reach)


_POSE_WORDS = (
    "shift of the whole detector along laboratory x",
    "shift of the whole detector along laboratory y",
    "distance of the whole detector",
    "tilt of the whole detector about laboratory x",
    "tilt of the whole detector about laboratory y",
    "rotation of the whole detector about the beam",
    "tilt of the beam towards the spindle",
)
