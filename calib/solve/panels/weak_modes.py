"""Which collective motions of the panels the data determine, and which only weakly.

Weak modes are the eigenvectors of the panels' covariance with the largest eigenvalues. Each is
named after the known pattern it resembles most: a scale, bending, a twist, one row relative to the
others or a single panel.

Let A be the normal equations of the panels including prior and gauge, and I the part of A that
comes from the data. The eigenvalues of A^-1 I are the fractions determined by the data in
independent directions. For a parameter or pattern p the fraction is 1 - p^T C p / p^T C0 p, where C
and C0 are the covariances with and without the data.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import (
    N_PARAMETERS,
    PANEL_PARAMETERS,
    CorrectionEstimate,
    Freedom,
)
from calib.model.detector.layout import Layout
from calib.model.result.report import DataShare, Determined, WeakMode
from calib.solve.panels.system import Normal, PanelSystem

_PATTERNS = (
    "overall scale",
    "relative scale of fast and slow",
    "shear of fast and slow",
    "bending about fast",
    "bending about slow",
    "twist",
)
"""Patterns whose fraction determined by the data is reported."""
_AXES = tuple(one.words for one in PANEL_PARAMETERS[:3])
_NEGLIGIBLE = 1e-12
"""Squared length of a pattern's projection on the free parameters that counts as zero."""
_ROUNDING = 1e-9
"""Length up to which the remainder of a pattern is rounding error."""
_DEPENDENT = 1e-9
"""Singular value, relative to the largest, below which rigid motions of centres are dependent."""
_N_SHOWN = 5
_MIN_OVERLAP = 0.6
"""Absolute cosine from which a mode is named after a pattern."""


def determined(
    system: PanelSystem, normal: Normal, covariance: Floats, measured: Bools
) -> Determined:
    """Fractions determined by the data rather than by the prior.

    ``normal`` holds the normal equations of the f free parameters of n panels, ``covariance``
    (n f, n f) is their inverse, not scaled by chi-square. Patterns are those of the panels that
    are ``measured`` (n,).
    """
    before = normal.unheld
    n_free = len(normal.free)
    sums = np.stack([np.diag(c).reshape(-1, n_free).sum(axis=0) for c in (covariance, before)])
    parameters: list[float | None] = [None] * N_PARAMETERS
    for place, parameter in enumerate(normal.free):
        parameters[parameter] = _data_fraction(*sums[:, place].tolist())
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
        if along @ along > _NEGLIGIBLE:
            sizes = (float(along @ covariance @ along) for covariance in (after, before))
            found.append(DataShare(words, _data_fraction(*sizes)))
    return tuple(found)


def _data_fraction(after: float, before: float) -> float:
    """1 - after / before for a variance with and without the data, between 0 and 1."""
    return float(np.clip(1.0 - after / max(before, 1e-300), 0.0, 1.0))


def weak_modes(layout: Layout, estimate: CorrectionEstimate, seen: Bools) -> tuple[WeakMode, ...]:
    """The five least determined modes of the panels ``seen`` (n,), the least determined first.

    A mode is a motion of the panels' centres along the axes of the root frame. ``sigma_um`` is one
    standard deviation of the mode, as a root mean square over the panels.
    """
    chosen = np.flatnonzero(seen)
    if len(chosen) < 2:
        return ()
    moves = moves_of_centres(layout, estimate.freedom, chosen)
    spread = moves @ estimate.covariance @ moves.T
    eigenvalues, vectors = np.linalg.eigh(spread)
    names = named_patterns(layout, chosen)
    out = []
    for index in range(1, min(_N_SHOWN, len(eigenvalues)) + 1):
        sigma_um = 1e3 * float(np.sqrt(max(eigenvalues[-index], 0.0) / len(chosen)))
        out.append(WeakMode(_words(vectors[:, -index], names, chosen), sigma_um))
    return tuple(out)


def moves_of_centres(layout: Layout, freedom: Freedom, chosen: Ints) -> Floats:
    """Matrix (3 m, n f) from the free parameters to motions of the m chosen panels' centres."""
    free = list(freedom.free)
    shifts = [k for k in free if k < 3]
    out = np.zeros((3 * len(chosen), len(layout) * len(free)))
    for row, panel in enumerate(chosen):
        columns = [panel * len(free) + free.index(k) for k in shifts]
        out[3 * row : 3 * row + 3, columns] = layout.frames.rotation[panel][:, shifts]
    return out


def named_patterns(layout: Layout, chosen: Ints) -> list[tuple[str, Floats]]:
    """Names and unit vectors (3 m,) of the known patterns, with rigid motions projected out."""
    centre = layout.centre_root_mm[chosen]
    x, y = ((centre - centre.mean(axis=0)) / np.ptp(centre, axis=0).max())[:, :2].T
    zero = np.zeros_like(x)
    fields: list[tuple[str, tuple[Floats, ...]]] = [
        ("overall scale", (x, y, zero)),
        ("relative scale of fast and slow", (x, -y, zero)),
        ("shear of fast and slow", (y, x, zero)),
        ("bending about slow", (zero, zero, x * x)),
        ("bending about fast", (zero, zero, y * y)),
        ("dishing", (zero, zero, x * x + y * y)),
        ("twist", (zero, zero, x * y)),
        ("barrel distortion", (x * (x * x + y * y), y * (x * x + y * y), zero)),
    ]
    rigid = np.stack(
        [
            np.stack(field, axis=1).ravel()
            for field in (
                (zero + 1, zero, zero),
                (zero, zero + 1, zero),
                (zero, zero, zero + 1),
                (zero, zero, x),
                (zero, zero, y),
                (-y, x, zero),
            )
        ],
        axis=1,
    )
    # Centres on a line have five independent rigid motions, not six.
    directions, sizes, _ = np.linalg.svd(rigid, full_matrices=False)
    basis = directions[:, sizes > _DEPENDENT * sizes[0]]
    for name, axis in (("row", 1), ("column", 0)):
        place = np.round(layout.centre_root_mm[chosen][:, axis], 1)
        values = sorted(set(place.tolist()))
        if 1 < len(values) < len(place):
            for number, value in enumerate(values):
                mine = (place == value).astype(np.float64)
                for unit, direction in enumerate(_AXES):
                    field = tuple(mine if k == unit else zero for k in range(3))
                    fields.append((f"{name} {number} relative to the others ({direction})", field))
    out = []
    for name, field in fields:
        pattern = _unit_remainder(np.stack(field, axis=1).ravel(), basis)
        if pattern is not None:
            out.append((name, pattern))
    return out


def _unit_remainder(pattern: Floats, basis: Floats) -> Floats | None:
    """Unit vector along a pattern (3 m,) with the span of ``basis`` (3 m, k) projected out; None if
    the remainder is rounding error."""
    remainder = pattern - basis @ (basis.T @ pattern)
    length = float(np.linalg.norm(remainder))
    return np.asarray(remainder / length) if length > _ROUNDING else None


def _words(vector: Floats, names: list[tuple[str, Floats]], chosen: Ints) -> str:
    """Description of a mode (3 m,)."""
    by_panel = vector.reshape(-1, 3)
    weight = (by_panel**2).sum(axis=1)
    worst = int(weight.argmax())
    along = _AXES[int(np.abs(by_panel[worst]).argmax())]
    if weight[worst] > 0.5:
        return f"panel {chosen[worst]} ({along})"
    # Patterns that coincide on this detector: take the simplest, which comes first.
    name, pattern = max(
        names,
        key=lambda one: round(abs(float(one[1] @ vector)), 6),
        default=("", np.zeros_like(vector)),
    )
    overlap = abs(float(pattern @ vector))
    if overlap > _MIN_OVERLAP:
        return name
    return f"combined mode, largest on panel {chosen[worst]} ({along})"
