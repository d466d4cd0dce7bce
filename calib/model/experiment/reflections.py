"""Observed reflections: the columns of a reflection table that metrology needs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints, frozen

EXCLUDING_BITS = (10, 17, 25, 27)
"""Flag bits that keep a reflection out: overloaded, centroid outlier, excluded for refinement,
not suitable for refinement."""
OUTLIER_BIT = 17
"""The excluding bit of centroid outliers, which are judged anew."""
RECONSIDERED_BITS = (17, 25)
"""The excluding bits set by an earlier refinement, which ``--ignore-flags`` overrides."""


@dataclass(frozen=True, slots=True, eq=False)
class Reflections:
    """n indexed reflections; arrays are read-only and of equal length."""

    experiment: Ints
    """(n,) index of the experiment; -1 where the reflection is not indexed."""
    panel: Ints
    """(n,) index of the panel."""
    miller_index: Ints
    """(n, 3)"""
    centroid_mm: Floats
    """(n, 3) ``xyzobs.mm.value``: x (fast, mm) and y (slow, mm) on the panel, phi (rad)."""
    variance_mm: Floats
    """(n, 3) their variances in mm^2, mm^2, rad^2."""
    flags: Ints
    """(n,) DIALS status bits."""

    def __post_init__(self) -> None:
        n = len(self.experiment)
        for name, dtype, shape in (
            ("experiment", np.int32, (n,)),
            ("panel", np.int32, (n,)),
            ("miller_index", np.int32, (n, 3)),
            ("centroid_mm", np.float64, (n, 3)),
            ("variance_mm", np.float64, (n, 3)),
            ("flags", np.int32, (n,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, shape, name))

    @staticmethod
    def none() -> Reflections:
        """No reflections."""
        numbers, vectors = np.zeros(0, dtype=np.int32), np.zeros((0, 3))
        return Reflections(numbers, numbers, vectors.astype(np.int32), vectors, vectors, numbers)

    def __len__(self) -> int:
        return len(self.experiment)

    def where(self, chosen: Bools | Ints) -> Reflections:
        """The reflections selected by a mask or by indices."""
        taken = [getattr(self, field.name)[chosen] for field in fields(self)]
        for array in taken:
            array.flags.writeable = False
        return Reflections(*taken)

    def flagged(self, bits: tuple[int, ...]) -> Bools:
        """(n,) whether any of these flag bits is set."""
        mask = sum(1 << bit for bit in bits)
        return np.asarray((self.flags & mask) != 0)

    @property
    def indexed(self) -> Bools:
        """(n,) whether the reflection has an experiment and a Miller index other than 0, 0, 0."""
        return np.asarray((self.experiment >= 0) & (self.miller_index != 0).any(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """The observed positions of all n reflections of a file, usable or not."""

    experiment: Ints
    """(n,) index of the experiment; -1 where the reflection is not indexed."""
    imageset: Ints | None
    """(n,) number of the imageset; None where the file has none."""
    panel: Ints
    """(n,) index of the panel."""
    centroid_mm: Floats
    """(n, 3) as of ``Reflections``."""
    centroid_px: Floats | None
    """(n, 3) x and y in px, z in images; None where the file has none."""
