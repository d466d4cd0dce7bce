"""Arrays that stand still: copied once to their dtype, shape checked, made read-only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from calib.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64 | np.int32 | np.int16 | np.int8]
"""Those of reflections are of as few bits as hold them, for there may be many millions."""
Bools = NDArray[np.bool_]


def frozen(
    values: ArrayLike, dtype: DTypeLike, shape: tuple[int | None, ...], name: str
) -> NDArray[Any]:
    """A read-only C-ordered copy of ``values``, of the given dtype and shape.

    An array that is all this already, and stands still to its last owner, is taken as it is.
    ``None`` in ``shape`` admits any length on that axis. Raises ``InputError`` with the name of
    the array and both shapes where they differ.
    """
    if isinstance(values, np.ndarray) and _stands_still(values) and values.dtype == dtype:
        array: NDArray[Any] = values
    else:
        array = np.array(values, dtype=dtype, order="C")
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if want is None else want for want in shape)
        raise InputError("bad-shape", f"{name} has shape {array.shape}, expected {wanted}.")
    array.flags.writeable = False
    return array


def _stands_still(array: NDArray[Any]) -> bool:
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return owner is None and bool(array.flags.c_contiguous)


def frozen_floats(values: ArrayLike, shape: tuple[int | None, ...], name: str) -> Floats:
    """``frozen`` for float64 arrays that must be finite."""
    array: Floats = frozen(values, np.float64, shape, name)
    if not np.isfinite(array).all():
        raise InputError("not-finite", f"{name} contains NaN or infinity.")
    return array
