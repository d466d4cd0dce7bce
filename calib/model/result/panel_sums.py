"""Sums over cells of the panels and over blocks of time, from the reflections of one dataset.

They show what the model of rigid panels and independent residuals leaves: displacements inside a
panel, and noise that is correlated in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib.model.base.arrays import Floats, frozen_floats
from calib.model.detector.correction import N_PARAMETERS

CELLS_ALONG = 6
"""Four cells of equal width along each side, between two that cover the margin."""
MARGIN_PX = 6
N_CELLS = CELLS_ALONG**2
MOST_BLOCKS = 48
GROUP = "panel_sums"
_NAMES = ("weight", "pull", "gain", "scores")
MEMBERS = tuple(f"{GROUP}/{name}" for name in _NAMES)
"""The names of the arrays in summaries."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelSums:
    """Sums over 6 x 6 cells of each of n panels, and over b blocks of time.

    The margin of 6 px has cells of its own; within it are 4 x 4.

    Residuals r are those in x and y in mm, w their weights, and J the derivatives of the predicted
    position by the six tangent motions of the panel. Values are rounded to single precision, in
    which summaries hold them.
    """

    weight: Floats
    """(n, 36, 2) sums of w."""
    pull: Floats
    """(n, 36, 2) sums of w r."""
    gain: Floats
    """(n, 36, 2, 6) sums of w J."""
    scores: Floats
    """(b, n, 6) sums of J^T w r of blocks of two degrees, or of more where there are many."""

    def __post_init__(self) -> None:
        n = len(self.weight)
        shapes = (n, N_CELLS, 2), (n, N_CELLS, 2), (n, N_CELLS, 2, N_PARAMETERS), (
            None, n, N_PARAMETERS,
        )  # fmt: skip
        for name, shape in zip(_NAMES, shapes, strict=True):
            single = np.asarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, frozen_floats(single, shape, name))

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays by the names that they have in summaries."""
        return {
            member: getattr(self, name).astype(np.float32)
            for member, name in zip(MEMBERS, _NAMES, strict=True)
        }

    @staticmethod
    def of_arrays(arrays: Mapping[str, np.ndarray[Any, Any]], n: int) -> PanelSums | None:
        """The sums of n panels in a summary; None where it has none, or of another shape."""
        weight, pull, gain, scores = (arrays.get(member) for member in MEMBERS)
        if weight is None or pull is None or gain is None or scores is None:
            return None
        fits = (
            weight.shape == pull.shape == (n, N_CELLS, 2)
            and gain.shape == (n, N_CELLS, 2, N_PARAMETERS)
            and scores.shape[1:] == (n, N_PARAMETERS)
            and len(scores) <= MOST_BLOCKS
        )
        if not fits or not all(np.isfinite(one).all() for one in (weight, pull, gain, scores)):
            return None
        return PanelSums(weight, pull, gain, scores)
