"""Directions that the data hardly determine, in words.

An eigenvector of the panels' covariance is a pattern of motion with an uncertainty. Each is
compared with patterns that have names: a scale, a bow, a twist, one row against the rest, one
panel by itself.

Which directions the data determine, and which lean on the tolerances of assembly.

With A the equations of the panels, prior and gauge included, and I the data's part in them, the
eigenvalues of A^-1 I are the data's shares in independent directions. The share in one parameter or
pattern p is 1 - p^T C p / p^T C0 p, with C and C0 the covariances with the data and without.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import N_PARAMETERS, CorrectionEstimate, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.report import DataShare, Determined, WeakMode
from calib.solve.panels.system import Normal, PanelSystem

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
    parameters: list[float | None] = [None] * N_PARAMETERS
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


_SHOWN = 5
_ALIKE = 0.6
"""Overlap (cosine) from which a pattern is called by a name."""


def weak_modes(layout: Layout, estimate: CorrectionEstimate, seen: Bools) -> tuple[WeakMode, ...]:
    """The five least determined patterns of the panels ``seen`` (n,), the worst first.

    Motions are those of the panels' centres along the root frame's axes; ``sigma_um`` is the root
    mean square over these panels of one standard deviation of the pattern.
    """
    chosen = np.flatnonzero(seen)
    if len(chosen) < 2:
        return ()
    moves = moves_of_centres(layout, estimate.freedom, chosen)
    spread = moves @ estimate.covariance @ moves.T
    eigenvalues, vectors = np.linalg.eigh(spread)
    names = named_patterns(layout, chosen)
    out = []
    for index in range(1, min(_SHOWN, len(eigenvalues)) + 1):
        sigma_um = 1e3 * float(np.sqrt(max(eigenvalues[-index], 0.0) / len(chosen)))
        out.append(WeakMode(_words(vectors[:, -index], names, chosen), sigma_um))
    return tuple(out)


def moves_of_centres(layout: Layout, freedom: Freedom, chosen: Ints) -> Floats:
    """(3 m, n f) motion of the chosen panels' centres by the free parameters."""
    free = list(freedom.free)
    shifts = [k for k in free if k < 3]
    out = np.zeros((3 * len(chosen), len(layout) * len(free)))
    for row, panel in enumerate(chosen):
        columns = [panel * len(free) + free.index(k) for k in shifts]
        out[3 * row : 3 * row + 3, columns] = layout.frames.rotation[panel][:, shifts]
    return out


def named_patterns(layout: Layout, chosen: Ints) -> list[tuple[str, Floats]]:
    """Unit patterns (3 m,) with their names; rigid motions are taken out, as they are no mode."""
    centre = layout.centre_root_mm[chosen]
    x, y = ((centre - centre.mean(axis=0)) / np.ptp(centre, axis=0).max())[:, :2].T
    zero = np.zeros_like(x)
    fields: list[tuple[str, tuple[Floats, ...]]] = [
        ("overall scale", (x, y, zero)),
        ("scale of fast against slow", (x, -y, zero)),
        ("shear of fast against slow", (y, x, zero)),
        ("bow about slow", (zero, zero, x * x)),
        ("bow about fast", (zero, zero, y * y)),
        ("dish", (zero, zero, x * x + y * y)),
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
    basis, _ = np.linalg.qr(rigid)
    for name, axis in (("row", 1), ("column", 0)):
        place = np.round(layout.centre_root_mm[chosen][:, axis], 1)
        values = sorted(set(place.tolist()))
        if 1 < len(values) < len(place):
            for number, value in enumerate(values):
                mine = (place == value).astype(np.float64)
                for direction, unit in (("fast", 0), ("slow", 1), ("the normal", 2)):
                    field = tuple(mine if k == unit else zero for k in range(3))
                    fields.append((f"{name} {number} against the others along {direction}", field))
    out = []
    for name, field in fields:
        pattern = np.stack(field, axis=1).ravel()
        pattern = pattern - basis @ (basis.T @ pattern)
        length = float(np.linalg.norm(pattern))
        if length > 1e-9:
            out.append((name, pattern / length))
    return out


def _words(vector: Floats, names: list[tuple[str, Floats]], chosen: Ints) -> str:
    by_panel = vector.reshape(-1, 3)
    weight = (by_panel**2).sum(axis=1)
    worst = int(weight.argmax())
    along = ("fast", "slow", "the normal")[int(np.abs(by_panel[worst]).argmax())]
    if weight[worst] > 0.5:
        return f"panel {chosen[worst]} along {along}"
    # Of patterns that are the same on this detector, the simpler one, which stands first.
    name, pattern = max(names, key=lambda one: round(abs(float(one[1] @ vector)), 6))
    overlap = abs(float(pattern @ vector))
    if overlap > _ALIKE:
        return name
    return f"mixed, strongest at panel {chosen[worst]} along {along}"
