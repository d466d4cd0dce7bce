"""Which directions the data determine, and which lean on the tolerances of assembly.

With A the equations of the panels, prior and gauge included, and I the data's part in them, the
eigenvalues of A^-1 I are the data's shares in independent directions. The share in one parameter or
pattern p is 1 - p^T C p / p^T C0 p, with C and C0 the covariances with the data and without.
"""

from __future__ import annotations

import numpy as np

from calib.model.arrays import Bools, Floats, Ints
from calib.model.layout import Layout
from calib.model.report import DataShare, Determined
from calib.solve.panels import Normal, PanelSystem
from calib.solve.weak import moves_of_centres, named_patterns

_PATTERNS = (
    "overall scale",
    "scale of fast against slow",
    "shear of fast against slow",
    "bow about fast",
    "bow about slow",
    "twist",
)
_NOTHING = 1e-12
"""Share of a pattern that lies within the free parameters, below which it is none of them."""


def determined(
    system: PanelSystem, normal: Normal, covariance: Floats, measured: Bools
) -> Determined:
    """What ``normal`` says beside the prior; ``covariance`` (n f, n f) is its own, not scaled by
    any chi-square, and ``measured`` (n,) are the panels whose patterns are looked at."""
    before = normal.unheld
    n_free = len(normal.free)
    sums = np.stack([np.diag(c).reshape(-1, n_free).sum(axis=0) for c in (covariance, before)])
    parameters: list[float | None] = [None] * 6
    for place, parameter in enumerate(normal.free):
        parameters[parameter] = _share(*sums[:, place].tolist())
    return Determined(
        n_directions=len(before) - normal.gauge.shape[1],
        n_determined=int((normal.data_shares > 0.5).sum()),
        parameters=tuple(parameters),
        patterns=_patterns(system, covariance, before, np.flatnonzero(measured)),
    )


def _patterns(
    system: PanelSystem, after: Floats, before: Floats, chosen: Ints
) -> tuple[DataShare, ...]:
    if len(chosen) < 2:
        return ()
    layout: Layout = system.layout
    moves = moves_of_centres(layout, system.freedom, chosen)
    named = dict(named_patterns(layout, chosen))
    found = []
    for words in _PATTERNS:
        along = named[words] @ moves if words in named else np.zeros(moves.shape[1])
        if along @ along > _NOTHING:
            sizes = (float(along @ covariance @ along) for covariance in (after, before))
            found.append(DataShare(words, _share(*sizes)))
    return tuple(found)


def _share(after: float, before: float) -> float:
    return float(np.clip(1.0 - after / max(before, 1e-300), 0.0, 1.0))
