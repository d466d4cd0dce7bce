"""Exact elimination of crystals and poses: what a dataset says of the panels alone.

The Schur complement S = N_pp - N_pu N_uu^-1 N_up, crystals first, then the pose (and the beam's
tilt where it is free). Directions of the nuisance that the data do not determine take no step and
carry no information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.bspline import Penalty
from calib.solve.algebra.rigid_motion import adjoints
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.panel_equations import Share
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from calib.solve.dataset.prediction import PANEL_COLUMNS, Stage
from calib.solve.dataset.whitening import POSE_COLUMNS, PosePrior, Unit, Widened, unit_of, whitened


@dataclass(frozen=True, slots=True, eq=False)
class Reduced(Share):
    """Normal equations over the panels' tangent motions, with the way back to the nuisance."""

    null_directions: tuple[str, ...]
    """Undetermined directions of pose and beam, in words."""
    units: tuple[Unit, ...]
    pose_back: Floats
    pose_reach: Floats
    n_poses: int
    coefficients: tuple[int, ...]
    """Spline coefficients of each crystal; 1 where it stands still."""
    n_determined: int
    """How many nuisance parameters the data determined."""

    def share(self) -> Share:
        """The same without the way back."""
        return Share(self.information, self.vector, self.panel_information)

    def largest_shift(self, panel_step: Floats) -> float:
        """The longest part of ``nuisance_step`` along any determined direction, in its sigma."""
        rigid = self.pose_reach[:, -1] - self.pose_reach[:, :-1] @ panel_step
        known = np.concatenate([panel_step, self.pose_back @ rigid])
        steps = [unit.reach[:, -1] - unit.reach[:, :-1] @ known for unit in self.units]
        return float(np.abs(np.concatenate([rigid, *steps])).max(initial=0.0))

    def nuisance_step(self, panel_step: Floats) -> Step:
        """The step of pose, crystals and beam that belongs to a step of the panels (6 n,)."""
        reach = self.pose_reach
        rigid = self.pose_back @ (reach[:, -1] - reach[:, :-1] @ panel_step)
        known = np.concatenate([panel_step, rigid])
        deviation = np.zeros((self.n_poses, POSE_COLUMNS))
        crystal = [np.zeros((count, CRYSTAL_COLUMNS)) for count in self.coefficients]
        for unit in self.units:
            own = unit.basis @ (unit.back @ (unit.reach[:, -1] - unit.reach[:, :-1] @ known))
            n_cells = crystal[unit.crystal].size
            crystal[unit.crystal] = own[:n_cells].reshape(-1, CRYSTAL_COLUMNS)
            for place, experiment in enumerate(unit.experiments):
                first = n_cells + POSE_COLUMNS * place
                deviation[experiment] = own[first : first + POSE_COLUMNS]
        return Step(rigid[:POSE_COLUMNS], deviation, tuple(crystal), float(rigid[POSE_COLUMNS]))


def eliminated(
    blocks: Blocks,
    stage: Stage,
    *,
    about_mm: Floats,
    free_beam: bool,
    pose_prior: PosePrior | None,
    penalty: Penalty,
) -> Reduced:
    """Crystals and pose taken out of the normal equations of one dataset.

    ``about_mm`` (3,) is the point that the pose turns about. ``pose_prior`` frees the pose of each
    experiment within it; None keeps one pose for all. ``penalty`` keeps varying crystals smooth.
    """
    held = stage.instrument
    n = stage.panel_half_mm.shape[1]
    n_poses = len(stage.state.rotation)
    panels = slice(0, PANEL_COLUMNS * n)
    poses = slice(panels.stop, panels.stop + POSE_COLUMNS)
    rhs = poses.stop + 1
    moves = adjoints(
        stage.panel_rotation.transpose(2, 3, 0, 1),
        stage.panel_centre_mm.transpose(1, 2, 0),
        about_mm,
    )[held.pose[blocks.experiment], blocks.panel]
    wide = Widened.of(blocks, moves)

    total = np.zeros((rhs + 1, rhs + 1))
    panel_information = np.zeros((n, 6, 6))
    np.add.at(panel_information, blocks.panel, blocks.matrices[:, :6, :6])
    for p in range(n):
        own = slice(6 * p, 6 * p + 6)
        total[own, own] = panel_information[p]
    tail = wide.tail
    coupling = np.zeros((n, 6, len(tail)))
    np.add.at(coupling, blocks.panel, wide.matrices[:, :6, tail])
    total[panels, poses.start :] = coupling.reshape(6 * n, -1)
    total[poses.start :, panels] = total[panels, poses.start :].T
    total[poses.start :, poses.start :] = wide.matrices[:, tail][:, :, tail].sum(axis=0)

    units = tuple(
        unit_of(wide, crystal, held, stage.state, n, prior=pose_prior, penalty=penalty)
        for crystal in range(len(held.strains))
        if (held.crystal[blocks.experiment] == crystal).any()
    )
    alone = np.diag(total)[poses.start : rhs].copy()
    if units:
        reach = np.concatenate([unit.reach for unit in units])
        total -= reach.T @ reach
    rest = PoseFree.of(total, alone, free_beam=free_beam)
    return Reduced(
        information=rest.information,
        vector=rest.vector,
        panel_information=panel_information,
        null_directions=rest.null_directions,
        units=units,
        pose_back=rest.back,
        pose_reach=rest.reach,
        n_poses=n_poses,
        coefficients=held.coefficients,
        n_determined=rest.back.shape[1] + sum(unit.back.shape[1] for unit in units),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PoseFree:
    """Normal equations of the panels after pose (and beam) have been eliminated, too."""

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
    def of(total: Floats, alone: Floats, *, free_beam: bool) -> PoseFree:
        """From sums over panels, pose, beam and residual; ``alone`` is the diagonal over pose and,
        where it is free, beam before crystals were eliminated."""
        first = len(total) - POSE_COLUMNS - 2
        free = list(range(first, first + POSE_COLUMNS + int(free_beam)))
        keep = [*range(first), len(total) - 1]
        back, words = whitened(total[np.ix_(free, free)], alone[: len(free)], _POSE_WORDS)
        reach = back.T @ total[np.ix_(free, keep)]
        full_back = np.zeros((POSE_COLUMNS + 1, back.shape[1]))
        full_back[: len(free)] = back
        reduced = total[np.ix_(keep, keep)] - reach.T @ reach
        information = 0.5 * (reduced[:-1, :-1] + reduced[:-1, :-1].T)
        return PoseFree(information, reduced[:-1, -1], words, full_back, reach)


_POSE_WORDS = (
    "shift of the whole detector along laboratory x",
    "shift of the whole detector along laboratory y",
    "distance of the whole detector",
    "tilt of the whole detector about laboratory x",
    "tilt of the whole detector about laboratory y",
    "rotation of the whole detector about the beam",
    "tilt of the beam towards the spindle",
)
