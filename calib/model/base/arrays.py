"""Read-only arrays: copied once to their dtype, with their shape checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from calib.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64 | np.int32 | np.int16 | np.int8]
"""Index arrays of reflections use the smallest dtype that holds them: there may be millions."""
Bools = NDArray[np.bool_]


def frozen(
    values: ArrayLike, dtype: DTypeLike, shape: tuple[int | None, ...], name: str
) -> NDArray[Any]:
    """A read-only C-ordered copy of ``values``, of the given dtype and shape.

    An array that already meets all of this, and whose memory nobody can write to, is returned
    without a copy. ``None`` in ``shape`` admits any length on that axis. Raises ``InputError``
    with the name of the array and both shapes if they differ.
    """
    if isinstance(values, np.ndarray) and _is_immutable(values) and values.dtype == dtype:
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


def _is_immutable(array: NDArray[Any]) -> bool:
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return owner is None and bool(array.flags.c_contiguous)


def frozen_floats(values: ArrayLike, shape: tuple[int | None, ...], name: str) -> Floats:
    """``frozen`` for float64 arrays; raises ``InputError`` unless all values are finite."""
    array: Floats = frozen(values, np.float64, shape, name)
    if not np.isfinite(array).all():
        raise InputError("not-finite", f"{name} contains NaN or infinity.")
    return array
