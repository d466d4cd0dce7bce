"""Elimination of the nuisance parameters of single crystals, by whitening their equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.algebra.bspline import Penalty, second_differences
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Instrument, NuisanceParameters
from calib.solve.dataset.prediction import PANEL_COLUMNS
from calib.solve.dataset.symmetry import turned_strains

_NULL = 1e-10
"""Fraction of a direction's original information below which the remainder after elimination is
rounding error, and the direction undetermined."""
POSE_COLUMNS = 6


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """Standard deviations of the poses of single experiments about the pose of their group."""

    shift_mm: float = 0.1
    turn_rad: float = 5e-4

    def information(self) -> Floats:
        """Inverse covariance (6, 6) of a pose's deviation, in mm and rad."""
        sigma = np.array([self.shift_mm] * 3 + [self.turn_rad] * 3)
        return np.diag(sigma**-2.0)


@dataclass(frozen=True, slots=True, eq=False)
class BlocksWithPose:
    """Blocks with six more columns for the pose: J_pose = J_panel @ adjoint."""

    blocks: Blocks
    matrices: Floats
    """(g, m + 6, m + 6)"""

    @staticmethod
    def of(blocks: Blocks, moves: Floats) -> BlocksWithPose:
        """``moves`` (g, 6, 6) are the adjoints of each group's panel and pose."""
        g, m = len(blocks.matrices), blocks.matrices.shape[1]
        out = np.empty((g, m + POSE_COLUMNS, m + POSE_COLUMNS))
        out[:, :m, :m] = blocks.matrices
        out[:, :m, m:] = blocks.matrices[:, :, :PANEL_COLUMNS] @ moves
        out[:, m:, :m] = out[:, :m, m:].transpose(0, 2, 1)
        out[:, m:, m:] = moves.transpose(0, 2, 1) @ out[:, :PANEL_COLUMNS, m:]
        return BlocksWithPose(blocks, out)

    @property
    def pose(self) -> list[int]:
        """Indices of the pose columns."""
        m = self.blocks.matrices.shape[1]
        return list(range(m, m + POSE_COLUMNS))

    @property
    def tail(self) -> list[int]:
        """Indices of the columns of pose, beam and residual."""
        m = self.blocks.matrices.shape[1]
        return [*self.pose, m - 2, m - 1]

    def across(self, groups: Ints, columns: list[int], n_panels: int) -> Floats:
        """(len(columns), 6 n + 8) the coupling of some columns, summed over ``groups``, to all
        panels, pose, beam and residual."""
        chosen = self.matrices[groups][:, columns]
        spread = np.zeros((n_panels, len(columns), PANEL_COLUMNS))
        np.add.at(spread, self.blocks.panel[groups], chosen[:, :, :PANEL_COLUMNS])
        panels = spread.transpose(1, 0, 2).reshape(len(columns), -1)
        return np.concatenate([panels, chosen[:, :, self.tail].sum(axis=0)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class CrystalElimination:
    """Elimination of one crystal, and of the pose deviations of its experiments."""

    crystal: int
    experiments: tuple[int, ...]
    """Experiments with their own pose; empty if the pose is shared."""
    basis: Floats
    """(m, k) from the k independent parameters to the m columns."""
    back: Floats
    """(k, r) whitened directions in the independent parameters."""
    reach: Floats
    """(r, 6 n + 8) whitened coupling to panels, pose, beam and right-hand side."""


def eliminate_crystal(
    wide: BlocksWithPose,
    crystal: int,
    instrument: Instrument,
    nuisance: NuisanceParameters,
    n_panels: int,
    *,
    prior: PosePrior | None,
    penalty: Penalty,
) -> CrystalElimination:
    """Eliminate one crystal and, with a ``prior``, the pose deviations of its experiments."""
    blocks, count = wide.blocks, instrument.coefficients[crystal]
    offset = sum(instrument.coefficients[:crystal])
    mine = np.flatnonzero(instrument.crystal[blocks.experiment] == crystal)
    experiments = tuple(sorted(set(blocks.experiment[mine].tolist()))) if prior else ()
    n_cells = CRYSTAL_COLUMNS * count
    m = n_cells + POSE_COLUMNS * len(experiments)
    square, across = np.zeros((m, m)), np.zeros((m, PANEL_COLUMNS * n_panels + 8))
    width = CRYSTAL_COLUMNS * min(blocks.n_coefficients, count)
    own = list(range(PANEL_COLUMNS, PANEL_COLUMNS + width))
    places = [n_cells + POSE_COLUMNS * k for k in range(len(experiments))]
    for first in np.unique(blocks.first[mine]).tolist():
        groups = mine[blocks.first[mine] == first]
        rows = slice(CRYSTAL_COLUMNS * (first - offset), CRYSTAL_COLUMNS * (first - offset) + width)
        square[rows, rows] += wide.matrices[groups][:, own][:, :, own].sum(axis=0)
        across[rows] += wide.across(groups, own, n_panels)
        for place, experiment in zip(places, experiments, strict=True):
            both = groups[blocks.experiment[groups] == experiment]
            deviation = slice(place, place + POSE_COLUMNS)
            square[deviation, rows] += wide.matrices[both][:, wide.pose][:, :, own].sum(axis=0)
            square[rows, deviation] = square[deviation, rows].T
    for place, experiment in zip(places, experiments, strict=True):
        groups = mine[blocks.experiment[mine] == experiment]
        rows = slice(place, place + POSE_COLUMNS)
        square[rows, rows] = wide.matrices[groups][:, wide.pose][:, :, wide.pose].sum(axis=0)
        across[rows] = wide.across(groups, wide.pose, n_panels)
        if prior is not None:
            square[rows, rows] += prior.information()
            across[rows, -1] -= prior.information() @ nuisance.deviation[experiment]
    if count > 1:
        bend = second_differences(count)
        stiff = np.kron(bend.T @ bend, np.diag(penalty.precision()))
        square[:n_cells, :n_cells] += stiff
        across[:n_cells, -1] -= stiff @ nuisance.drift[:, offset : offset + count].T.ravel()

    strains = turned_strains(instrument.strains[crystal], nuisance.turned[crystal])
    one = np.zeros((CRYSTAL_COLUMNS, 3 + strains.shape[1]))
    one[:3, :3], one[3:, 3:] = np.eye(3), strains
    basis = np.zeros((m, count * one.shape[1] + m - n_cells))
    basis[:n_cells, : count * one.shape[1]] = np.kron(np.eye(count), one)
    basis[n_cells:, count * one.shape[1] :] = np.eye(m - n_cells)
    own_square = basis.T @ square @ basis
    back, _ = whiten(own_square, np.diag(own_square), ())
    return CrystalElimination(crystal, experiments, basis, back, back.T @ (basis.T @ across))


def whiten(square: Floats, alone: Floats, words: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """W with W^T N W = 1 over the determined directions, and descriptions of the others.

    ``alone`` is the diagonal of N before other parameters were eliminated: a remainder of
    negligible size is rounding error.
    """
    scale = np.sqrt(np.maximum(alone, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(square / np.outer(scale, scale))
    good = eigenvalues > _NULL
    found = tuple(
        words[int(np.abs(vectors[:, k]).argmax())] for k in np.flatnonzero(~good) if words
    )
    return (vectors[:, good] / np.sqrt(eigenvalues[good])) / scale[:, None], found


def whiten_all(squares: Floats) -> Floats:
    """W (c, k, k) with W^T N W = 1 for many N (c, k, k); undetermined columns are 0."""
    diagonal = np.diagonal(squares, axis1=1, axis2=2)
    scale = np.sqrt(np.maximum(diagonal, 1e-300))
    eigenvalues, vectors = np.linalg.eigh(squares / (scale[:, :, None] * scale[:, None, :]))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(eigenvalues > _NULL, 1.0 / np.sqrt(eigenvalues), 0.0)
    return np.asarray(vectors * size[:, None, :] / scale[:, :, None])
