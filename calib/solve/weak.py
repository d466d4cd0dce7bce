"""Directions that the data hardly determine, in words.

An eigenvector of the panels' covariance is a pattern of motion with an uncertainty. Each is
compared with patterns that have names: a scale, a bow, a twist, one row against the rest, one
panel by itself.
"""

from __future__ import annotations

import numpy as np

from calib.model.arrays import Bools, Floats, Ints
from calib.model.correction import CorrectionEstimate, Freedom
from calib.model.layout import Layout
from calib.model.report import WeakMode

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
