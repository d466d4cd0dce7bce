"""How well a detector that has not changed repeats, beyond the noise of its calibrations.

Between two occasions (mountings, temperatures, crystals) panels move a little, and errors that no
model describes differ. The covariance of one occasion is

    R = r^2 (E + c^2 sum over patterns v of n v v^T + c^2 sum over groups g of M_g M_g^T),

where r is a length, E is a shift of each panel along each of its axes by 1 and the rotations that
move its corners as far, c = 1/2, v are unit vectors of thermal expansion, sag (bending about either
axis) and twist of the whole detector (``calib.solve.panels.weak_modes``), so that each pattern
moves the n panels by c r rms, and M_g moves a group of panels by 1, with rotations that move its
outermost corner as far.

A calibration from k independent occasions averages over them: R / k. Let s_i be the fraction of the
reflections of calibration i that come from datasets common to both. Then the difference of two
calibrations has the repeatability

    R [(1 - s_1)^2 / k_1 + (1 - s_2)^2 / k_2 + (s_1 - s_2)^2 / min(k_1, k_2)].
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.layout import Layout
from calib.solve.panels.weak_modes import named_patterns
from calib.solve.prior import group_moves

DEFAULT_REPEAT_MM = 0.005
"""The length r where nothing states it. Two scans of one night on a PILATUS 2M need 4 to 4.5 um to
differ by a chi-square of 1 per degree of freedom."""
HALVES = 2.0
"""The factor on R of the difference between two halves of a scan, as between two occasions. Panels
do not move, but errors that no model describes differ as much: halves of a real scan by up to 9 um
rms beyond noise."""
_COMMON = 0.5
"""c. One kelvin expands 400 mm of aluminium by 9 um, which is 3 um rms."""
_PATTERNS = (
    "overall scale",
    "bending about slow",
    "bending about fast",
    "twist",
)


def repeatability(layout: Layout, repeat_mm: float, free: tuple[int, ...]) -> Floats:
    """Covariance R (n f, n f) of the free parameters of n panels on one occasion, in mm and rad."""
    n, f = len(layout), len(free)
    arm = np.linalg.norm(0.5 * layout.size_mm, axis=1)
    lengths = np.stack([np.ones(n)] * 3 + [1.0 / arm] * 3, axis=1)
    covariance = np.diag(lengths[:, free].ravel() ** 2)
    for columns in (_patterns(layout, free), *_groups(layout, free)):
        covariance += _COMMON**2 * columns @ columns.T
    return np.asarray(repeat_mm**2 * covariance).reshape(n * f, n * f)


def occasions_factor(occasions: tuple[int, int], shared: tuple[float, float]) -> float:
    """The factor on R of the difference of two calibrations."""
    (k1, k2), (s1, s2) = occasions, shared
    return (1.0 - s1) ** 2 / k1 + (1.0 - s2) ** 2 / k2 + (s1 - s2) ** 2 / min(k1, k2)


def _patterns(layout: Layout, free: tuple[int, ...]) -> Floats:
    """(n f, k) common patterns, each of which moves the centres of the panels by 1 mm rms."""
    n, f = len(layout), len(free)
    out = np.zeros((n, f, 0))
    if n < 2:
        return out.reshape(n * f, 0)
    named = dict(named_patterns(layout, np.arange(n)))
    fields = [named[words].reshape(n, 3) for words in _PATTERNS if words in named]
    shifts = [k for k in free if k < 3]
    for field in fields:
        column = np.zeros((n, f, 1))
        own = np.einsum("nij,ni->nj", layout.frames.rotation, np.sqrt(n) * field)
        column[:, [free.index(k) for k in shifts], 0] = own[:, shifts]
        out = np.concatenate([out, column], axis=2)
    return out.reshape(n * f, -1)


def _groups(layout: Layout, free: tuple[int, ...]) -> list[Floats]:
    """(n f, f) motions of each group by 1 mm, and by rotations that move its panels as far."""
    n, f = len(layout), len(free)
    found = []
    for group in layout.groups:
        members = np.array(group.panels)
        centre = layout.centre_root_mm[members]
        reach = np.linalg.norm(centre - centre.mean(axis=0), axis=1)
        arm = float((reach + np.linalg.norm(0.5 * layout.size_mm[members], axis=1)).max())
        lengths = np.array([1.0] * 3 + [1.0 / arm] * 3)[list(free)]
        columns = np.zeros((n * f, f))
        rows = np.add.outer(members * f, np.arange(f)).ravel()
        columns[rows] = group_moves(layout, group, free) * lengths
        found.append(columns)
    return found
