"""Exact elimination of crystals and poses: what a dataset says of the panels alone.

The Schur complement S = N_pp - N_pu N_uu^-1 N_up, crystals first, then the pose (and the beam's
tilt where it is free). Directions of the nuisance that the data do not determine take no step and
carry no information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.arrays import Floats
from calib.solve.normal import Blocks
from calib.solve.rigid import adjoints
from calib.solve.rotation import BEAM_COLUMN, PANEL_COLUMNS, RESIDUAL_COLUMN, Stage
from calib.solve.state import CRYSTAL_COLUMNS, Step
from calib.solve.symmetry import turned_strains

_NULL = 1e-10
"""Share of a direction's information, before anything else was eliminated, below which what is
left counts as rounding, and the direction as undetermined."""
POSE_COLUMNS = 6


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """How far single experiments may stand from the pose of their group."""

    shift_mm: float = 0.1
    turn_rad: float = 5e-4

    def information(self) -> Floats:
        """(6, 6) inverse covariance of a pose's deviation."""
        sigma = np.array([self.shift_mm] * 3 + [self.turn_rad] * 3)
        return np.diag(sigma**-2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One crystal (and the pose deviations of its experiments) to be put back in."""

    crystal: int
    experiments: tuple[int, ...]
    """Those whose pose deviates by itself; empty where the pose is shared."""
    basis: Floats
    """(m, k) from the unit's independent parameters to its m columns."""
    back: Floats
    """(k, r) whitened directions."""
    reach: Floats
    """(r, 6 n + 8) whitened coupling to panels, pose, beam and right-hand side."""


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Normal equations over the panels' tangent motions, with the way back to the nuisance."""

    information: Floats
    """(6 n, 6 n)"""
    vector: Floats
    """(6 n,)"""
    panel_information: Floats
    """(n, 6, 6) what each panel's reflections would say with everything else known."""
    null_directions: tuple[str, ...]
    """Undetermined directions of pose and beam, in words."""
    units: tuple[Unit, ...]
    pose_back: Floats
    pose_reach: Floats
    n_poses: int
    n_crystals: int
    n_determined: int
    """How many nuisance parameters the data determined."""

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
        crystal = np.zeros((self.n_crystals, CRYSTAL_COLUMNS))
        for unit in self.units:
            own = unit.basis @ (unit.back @ (unit.reach[:, -1] - unit.reach[:, :-1] @ known))
            crystal[unit.crystal] = own[:CRYSTAL_COLUMNS]
            for place, experiment in enumerate(unit.experiments):
                first = CRYSTAL_COLUMNS + POSE_COLUMNS * place
                deviation[experiment] = own[first : first + POSE_COLUMNS]
        return Step(rigid[:POSE_COLUMNS], deviation, crystal, float(rigid[POSE_COLUMNS]))


def eliminated(
    blocks: Blocks,
    stage: Stage,
    *,
    about_mm: Floats,
    free_beam: bool,
    pose_prior: PosePrior | None,
) -> Reduced:
    """Crystals and pose taken out of the normal equations of one dataset.

    ``about_mm`` (3,) is the point that the pose turns about. ``pose_prior`` frees the pose of each
    experiment within it; None keeps one pose for all.
    """
    held = stage.instrument
    n = stage.panel_half_mm.shape[1]
    n_poses = len(stage.state.rotation)
    panels = slice(0, PANEL_COLUMNS * n)
    poses = slice(panels.stop, panels.stop + POSE_COLUMNS)
    beam, rhs = poses.stop, poses.stop + 1
    moves = adjoints(
        stage.panel_rotation.transpose(2, 3, 0, 1),
        stage.panel_centre_mm.transpose(1, 2, 0),
        about_mm,
    )[held.pose[blocks.experiment], blocks.panel]
    wide = _widened(blocks.matrices, moves)

    total = np.zeros((rhs + 1, rhs + 1))
    panel_information = np.zeros((n, 6, 6))
    np.add.at(panel_information, blocks.panel, blocks.matrices[:, :6, :6])
    for p in range(n):
        own = slice(6 * p, 6 * p + 6)
        total[own, own] = panel_information[p]
    tail = [*range(_POSE, _POSE + POSE_COLUMNS), BEAM_COLUMN, RESIDUAL_COLUMN]
    coupling = np.zeros((n, 6, len(tail)))
    np.add.at(coupling, blocks.panel, wide[:, :6, tail])
    total[panels, poses.start :] = coupling.reshape(6 * n, -1)
    total[poses.start :, panels] = total[panels, poses.start :].T
    total[poses.start :, poses.start :] = wide[:, tail][:, :, tail].sum(axis=0)

    units = tuple(
        _unit(blocks, wide, crystal, stage, n, pose_prior)
        for crystal in range(len(held.strains))
        if (held.crystal[blocks.experiment] == crystal).any()
    )
    free = [*range(poses.start, poses.stop), *([beam] if free_beam else [])]
    alone = np.diag(total)[free].copy()
    if units:
        reach = np.concatenate([unit.reach for unit in units])
        total -= reach.T @ reach
    back, words = _whitened(total[np.ix_(free, free)], alone, _POSE_WORDS)
    keep = [*range(panels.stop), rhs]
    pose_reach = back.T @ total[np.ix_(free, keep)]
    full_back = np.zeros((POSE_COLUMNS + 1, back.shape[1]))
    full_back[: len(free)] = back
    reduced = total[np.ix_(keep, keep)] - pose_reach.T @ pose_reach
    return Reduced(
        information=0.5 * (reduced[:-1, :-1] + reduced[:-1, :-1].T),
        vector=reduced[:-1, -1],
        panel_information=panel_information,
        null_directions=words,
        units=units,
        pose_back=full_back,
        pose_reach=pose_reach,
        n_poses=n_poses,
        n_crystals=len(held.strains),
        n_determined=back.shape[1] + sum(unit.back.shape[1] for unit in units),
    )


_POSE = RESIDUAL_COLUMN + 1
_POSE_WORDS = (
    "pose along laboratory x",
    "pose along laboratory y",
    "pose along laboratory z",
    "pose about laboratory x",
    "pose about laboratory y",
    "pose about laboratory z",
    "tilt of the beam towards the spindle",
)


def _widened(matrices: Floats, moves: Floats) -> Floats:
    """(g, 23, 23) the blocks with six pose columns behind: J_pose = J_panel @ adjoint."""
    g, m = len(matrices), matrices.shape[1]
    out = np.zeros((g, m + POSE_COLUMNS, m + POSE_COLUMNS))
    out[:, :m, :m] = matrices
    out[:, :m, m:] = matrices[:, :, :6] @ moves
    out[:, m:, :m] = out[:, :m, m:].transpose(0, 2, 1)
    out[:, m:, m:] = moves.transpose(0, 2, 1) @ out[:, :6, m:]
    return out


def _unit(
    blocks: Blocks, wide: Floats, crystal: int, stage: Stage, n: int, prior: PosePrior | None
) -> Unit:
    """One crystal's columns whitened against themselves."""
    held = stage.instrument
    mine = np.flatnonzero(held.crystal[blocks.experiment] == crystal)
    own = list(range(PANEL_COLUMNS, BEAM_COLUMN))
    pose = list(range(_POSE, _POSE + POSE_COLUMNS))
    tail = [*pose, BEAM_COLUMN, RESIDUAL_COLUMN]
    experiments = tuple(sorted(set(blocks.experiment[mine].tolist()))) if prior else ()
    m = CRYSTAL_COLUMNS + POSE_COLUMNS * len(experiments)
    square, across = np.zeros((m, m)), np.zeros((m, 6 * n + len(tail)))

    def add(rows: slice, columns: list[int], groups: np.ndarray) -> None:
        chosen = wide[groups][:, columns]
        spread = np.zeros((n, len(columns), 6))
        np.add.at(spread, blocks.panel[groups], chosen[:, :, :6])
        across[rows, : 6 * n] = spread.transpose(1, 0, 2).reshape(len(columns), -1)
        across[rows, 6 * n :] = chosen[:, :, tail].sum(axis=0)

    cells = slice(0, CRYSTAL_COLUMNS)
    square[cells, cells] = wide[mine][:, own][:, :, own].sum(axis=0)
    add(cells, own, mine)
    for place, experiment in enumerate(experiments):
        groups = mine[blocks.experiment[mine] == experiment]
        first = CRYSTAL_COLUMNS + POSE_COLUMNS * place
        rows = slice(first, first + POSE_COLUMNS)
        chosen = wide[groups][:, pose]
        square[rows, cells] = chosen[:, :, own].sum(axis=0)
        square[cells, rows] = square[rows, cells].T
        square[rows, rows] = chosen[:, :, pose].sum(axis=0)
        add(rows, pose, groups)
        if prior is not None:
            square[rows, rows] += prior.information()
            across[rows, -1] -= prior.information() @ stage.state.deviation[experiment]

    strains = turned_strains(held.strains[crystal], stage.state.turned[crystal])
    basis = np.zeros((m, m - 6 + strains.shape[1]))
    basis[:3, :3] = np.eye(3)
    basis[3:9, 3 : 3 + strains.shape[1]] = strains
    basis[9:, 3 + strains.shape[1] :] = np.eye(m - 9)
    own_square = basis.T @ square @ basis
    back, _ = _whitened(own_square, np.diag(own_square), ())
    return Unit(crystal, experiments, basis, back, back.T @ (basis.T @ across))


def _whitened(
    square: Floats, alone: Floats, words: tuple[str, ...]
) -> tuple[Floats, tuple[str, ...]]:
    """W with W^T N W = 1 over the determined directions, and words for the others.

    ``alone`` is the diagonal before anything was eliminated: what is left of it may be rounding.
    """
    scale = np.sqrt(np.maximum(alone, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(square / np.outer(scale, scale))
    good = eigenvalues > _NULL
    found = tuple(
        words[int(np.abs(vectors[:, k]).argmax())] for k in np.flatnonzero(~good) if words
    )
    return (vectors[:, good] / np.sqrt(eigenvalues[good])) / scale[:, None], found
