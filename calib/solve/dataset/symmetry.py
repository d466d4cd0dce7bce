"""Free cell parameters of a crystal under its symmetry, as strains.

A change of cell is a small symmetric strain e in the crystal's Cartesian frame, A -> (1 + e) A.
The strains that keep the symmetry are those that every rotation of the point group leaves
unchanged: one for a cubic cell, two for a tetragonal, trigonal or hexagonal one, and three, four
and six for orthorhombic, monoclinic and triclinic cells, in any setting that the Hall symbol gives.
"""

from __future__ import annotations

from functools import lru_cache

import gemmi
import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.experiment.experiment import Crystal

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""The order of the six components of a symmetric strain; shear components appear once."""
_LARGEST_STRAIN = 0.02
"""A cell that deviates more than this from its symmetry has the wrong space group."""


def symmetric_setting(crystal: Crystal, hall_symbol: str | None = None) -> Floats:
    """The setting matrix A (3, 3) in 1/Angstrom nearest to the crystal's that has its symmetry.

    The metric tensor is averaged over the point group; the orientation changes as little as
    possible. ``hall_symbol`` overrides the crystal's own. Raises ``InputError`` if the
    cell deviates from the symmetry by more than 2 %.
    """
    symbol = hall_symbol or crystal.hall_symbol
    return np.asarray(symmetric_settings(crystal.a_matrix[None], symbol)[0])


def symmetric_settings(a_matrices: Floats, hall_symbol: str) -> Floats:
    """The same for the setting matrices (c, 3, 3) of many crystals of one symmetry."""
    operations = _reciprocal_rotations(hall_symbol)
    metric = a_matrices.transpose(0, 2, 1) @ a_matrices
    averaged = np.mean([w.T @ metric @ w for w in operations], axis=0)
    # A S with S^T G S = averaged G, S nearest to one: S = A^-1 E A with E the symmetric strain.
    inverse = np.linalg.inv(a_matrices)
    stretch_squared = inverse.transpose(0, 2, 1) @ averaged @ inverse
    eigenvalues, vectors = np.linalg.eigh(stretch_squared)
    if np.abs(np.sqrt(eigenvalues) - 1.0).max(initial=0.0) > _LARGEST_STRAIN:
        raise InputError(
            "cell-not-symmetric",
            f"the cell does not have the symmetry {hall_symbol!r}.",
            remedy="--space-group P1, or the space group that the crystal was indexed in.",
        )
    stretch = (vectors * np.sqrt(eigenvalues)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return np.asarray(stretch @ a_matrices)


def allowed_strains(a_matrix: Floats, hall_symbol: str) -> Floats:
    """The strains that keep the symmetry: (..., 6, k) orthonormal columns over ``VOIGT``, k = 1 to
    6, for one ``a_matrix`` (3, 3) or many.

    They must have the symmetry (see ``symmetric_setting``).
    """
    inverse = np.linalg.inv(a_matrix)
    basis = np.array([_strain(i) for i in range(6)])
    averaged = np.zeros((*a_matrix.shape[:-2], 6, 3, 3))
    operations = _reciprocal_rotations(hall_symbol)
    for w in operations:
        rotation = (a_matrix @ w @ inverse)[..., None, :, :]
        averaged += rotation @ basis @ np.swapaxes(rotation, -1, -2)
    averaged /= len(operations)
    projector = np.stack([averaged[..., i, j] for i, j in VOIGT], axis=-2)
    u, singular, _ = np.linalg.svd(projector)
    k = int((singular.reshape(-1, 6)[0] > 0.5).sum())
    return np.asarray(u[..., :k])


def turned_strains(strains: Floats, turn: Floats) -> Floats:
    """The strains (..., 6, k) of crystals that have since been rotated by U = ``turn`` (..., 3, 3):
    e -> U e U^T."""
    turn = turn[..., None, :, :]
    turned = turn @ strain_matrix(np.swapaxes(strains, -1, -2)) @ np.swapaxes(turn, -1, -2)
    return np.stack([turned[..., i, j] for i, j in VOIGT], axis=-2)


def turned_back_strains(strains: Floats, turn: Floats) -> Floats:
    """The components (..., 6) over ``VOIGT`` of strains (..., 3, 3), in the frame before crystals
    were turned by ``turn`` (..., 3, 3): U^T e U."""
    before = np.swapaxes(turn, -1, -2) @ strains @ turn
    return np.stack([before[..., i, j] for i, j in VOIGT], axis=-1)


def strain_matrix(components: Floats) -> Floats:
    """The symmetric (..., 3, 3) matrices of six components (..., 6) over ``VOIGT``."""
    basis = np.array([_strain(i) for i in range(6)])
    return np.asarray(np.tensordot(components, basis, axes=1))


def _strain(index: int) -> Floats:
    out = np.zeros((3, 3))
    i, j = VOIGT[index]
    out[i, j] = out[j, i] = 1.0
    return out


@lru_cache(maxsize=64)
def _reciprocal_rotations(hall_symbol: str) -> Floats:
    """Point group (m, 3, 3) acting on Miller indices as columns, h' = W h."""
    try:
        operations = gemmi.symops_from_hall(hall_symbol)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "bad-space-group",
            f"{hall_symbol!r} is no Hall symbol.",
            remedy="give the space group with --space-group, such as P43212.",
        ) from error
    return np.array([np.array(op.rot, dtype=np.float64).T / op.DEN for op in operations.sym_ops])


def hall_from_name(space_group: str) -> str:
    """The Hall symbol of a space group's name or number, such as ``P43212`` or ``96``."""
    found = None
    if not space_group.isdigit():
        found = gemmi.find_spacegroup_by_name(space_group)
    elif 1 <= int(space_group) <= 230:
        found = gemmi.find_spacegroup_by_number(int(space_group))
    if found is None:
        raise InputError(
            "bad-space-group",
            f"{space_group!r} is no space group.",
            remedy="a name such as P43212 or a number from 1 to 230.",
        )
    return str(found.hall)


def name_from_hall(hall_symbol: str) -> str:
    """A name from which ``hall_from_name`` gives this Hall symbol again.

    Raises ``InputError`` for a symbol without a space group name.
    """
    for group in gemmi.spacegroup_table():
        if group.hall == hall_symbol and hall_from_name(group.xhm()) == hall_symbol:
            return str(group.xhm())
    raise InputError("bad-space-group", f"no space group has the Hall symbol {hall_symbol!r}.")
