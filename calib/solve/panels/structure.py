"""What rigid panels and independent residuals leave: structure inside panels, correlated noise.

**Structure.** Each panel is divided into 4 x 4 cells and its margin. With m the weighted mean
residuals of its cells and W their weights, those of a rigid panel scatter about a rigid motion with
a chi-square X of nu degrees of freedom. Displacements of the cells by tau (bow, chips, bias at
edges) with the correlation K add tau^2 tr M K, with M = W - W J (J^T W J)^-1 J^T W, so that

    tau^2 = (X - nu) / tr M K,

the median over all panels, or that of the panel where it is significantly larger. The panel seems
to be displaced by D^-1 J^T W d, with D its own information and d the displacements of the cells.
These are the same for all reflections of a cell, and do not average out. What all panels have in
common, such as a bias at their edges, is found in the same way from the sums over all panels, the
margin and the cells within it apart.

Displacements that grow from the centre of a panel outwards resemble another distance, which is
free, so that all panels seem to stand further apart, or nearer to each other. With u the places of
the cells, panels at c seem to be displaced by e c, with e = sum of W u d / sum of W u^2 over all
panels. If all panels are stretched along one axis only, as wide pixels in gaps between chips make
it, residuals show the difference a of the two axes, and e is of that size.

**Correlated noise.** The scores s_b = J^T w r of blocks of two degrees of one dataset, with their
effect through the nuisance parameters N D^-1 s_b, have the covariance N if residuals are
independent. Where the sum of C N D^-1 s_b s_b^T D^-1 N C exceeds C N C over all panels, for one
kind of parameter, the covariance is enlarged by their ratio (sandwich estimator, White,
Econometrica 48, 817-838, 1980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.detector.layout import Layout
from calib.model.result.panel_sums import CELLS_ALONG, N_CELLS, PanelSums
from calib.model.result.report import NAMED_PX, Structure
from calib.model.result.summary import Statement
from calib.solve.algebra.linalg import block_diagonal, multiply_blocks

_LEAST_SHARE = 1e-6
"""Smallest eigenvalue of a panel's scaled own information, relative to the largest."""
_SIGNIFICANT = 3.0
"""Standard deviations by which a panel exceeds the others, or a panel that is named noise."""
_REACH = 0.6
"""Distance in cells at which displacements are alike (the standard deviation of a Gaussian)."""
_REACH_OF_MARGIN = 2.0
"""The same along the margin, where bias belongs to the edge."""
_BOTH_AXES = 1.5
"""Stretch of panels, relative to the difference between their axes, of which both may have some."""
_SURE = 4.0
"""Standard deviations from which on a stretch along one axis is taken for one."""
_FEWEST_BLOCKS = 8
_COMMON = 4
"""Shifts, rotation and stretch that all panels have in common in the plane."""
_STRETCHED = 1e-4
"""Probability below which a stretch is not one of panels that are displaced at random."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelStructure:
    """Displacements inside panels, and how far noise is correlated in time."""

    found: Structure | None
    """None if no dataset has the sums over cells and blocks."""
    covariance: Floats
    """(n f, n f) covariance of the free parameters that both add."""


def panel_structure(
    layout: Layout,
    statements: Sequence[Statement],
    free: tuple[int, ...],
    covariance: Floats,
    achieved: float = 1.0,
) -> PanelStructure:
    """Structure and correlated noise of datasets, and the covariance that they add.

    ``covariance`` (n f, n f) is that of the f free parameters without either, and for weights that
    are inverse variances of the noise; ``achieved`` is the chi-square per degree of freedom.
    """
    n = len(layout)
    sums = [one.sums for one in statements if one.sums is not None]
    if not sums:
        return PanelStructure(None, np.zeros_like(covariance))
    places = _places(layout)
    size, common, significant, aspect = _sizes(sums, achieved, places)
    added = _of_structure(layout, statements, free, covariance, size, common, aspect)
    excess = []
    for one in statements:
        grown = np.zeros(len(free))
        if one.sums is not None and len(one.sums.scores) >= _FEWEST_BLOCKS:
            grown = _excess(one, one.sums, free, covariance, achieved)
        excess.append(1.0 + float(grown.max()))
        if grown.any():
            root = np.tile(np.sqrt(grown), n)
            reach = covariance @ _rows(one.whole.information, free)[:, _columns(n, free)]
            added += (reach @ covariance) * np.outer(root, root) * achieved
    pixel = np.array([np.mean(panel.pixel_mm) for panel in layout.panels])
    px = np.hypot(size, common[_inner()].max()) / pixel
    reach = 0.5 * aspect * np.median(layout.size_mm.max(axis=1))
    margin = float(max(common[~_inner()].max(), reach) / np.median(pixel))
    named = np.flatnonzero((px >= NAMED_PX) & (significant > _SIGNIFICANT))
    found = Structure(tuple(px.tolist()), margin, tuple(named.tolist()), tuple(excess))
    return PanelStructure(found, 0.5 * (added + added.T))


def _sizes(
    sums: Sequence[PanelSums], achieved: float, places: Floats
) -> tuple[Floats, Floats, Floats, float]:
    """tau (n,) of each panel and tau (72,) of what all have in common, by cell and axis, in mm; by
    how many standard deviations (n,) X exceeds nu; and by how much all panels are stretched along
    one axis more than along the other, if significantly."""
    weight, pull, gain = (
        np.sum([getattr(one, name) for one in sums], axis=0) / max(achieved, 1e-300)
        for name in ("weight", "pull", "gain")
    )
    n, alike, inner = len(weight), _alike(), _inner()
    found = np.zeros((3, n))
    common_pull, common = np.zeros(2 * N_CELLS), np.zeros((2 * N_CELLS, 2 * N_CELLS))
    patterns = np.zeros((N_CELLS, 2, 2))
    patterns[:, [0, 1], [0, 1]] = places.mean(axis=0)
    stretches, spread = patterns.reshape(2 * N_CELLS, 2), np.zeros((n, 2, 2))
    for panel in range(n):
        w, r, g = weight[panel].ravel(), pull[panel].ravel(), gain[panel].reshape(-1, N_PARAMETERS)
        found[:, panel] = _moments(
            *_without_rigid(w[inner], r[inner], g[inner]), alike[inner][:, inner]
        )
        matrix, left = _without_rigid(w, r, g)
        common_pull, common = common_pull + left, common + matrix
        across = matrix @ stretches
        spread[panel] = across.T @ alike @ across
    own, significant = _variances(*found)
    both = np.zeros(2 * N_CELLS)
    for cells in (inner, ~inner) if n > 1 else ():
        excess, degrees, trace = _moments(
            common[cells][:, cells], common_pull[cells], alike[cells][:, cells]
        )
        beyond = excess - _SIGNIFICANT * np.sqrt(2.0 * degrees)
        both[cells] = np.sqrt(excess / max(trace, 1e-300)) if beyond > 0.0 else 0.0
    seen = stretches.T @ common @ stretches
    scatter = seen + np.einsum("pij,p->ij", spread, own)
    return np.sqrt(own), both, significant, _aspect(seen, stretches.T @ common_pull, scatter)


def _aspect(seen: Floats, left: Floats, scatter: Floats) -> float:
    """By how much panels are stretched along one axis more than along the other.

    ``seen`` (2, 2) is the information on both stretches, ``left`` (2,) the pull on them, and
    ``scatter`` (2, 2) its covariance by noise and by displacements of cells at random, which may
    explain it; then 0.
    """
    back = np.linalg.pinv(seen, rcond=_LEAST_SHARE, hermitian=True) @ np.array([1.0, -1.0])
    found, sigma = abs(float(back @ left)), float(np.sqrt(back @ scatter @ back))
    return found if found > _SURE * sigma > 0.0 else 0.0


def _places(layout: Layout) -> Floats:
    """(n, 36, 2) centres of the cells relative to those of the panels, in mm."""
    inner = (np.arange(CELLS_ALONG - 2) + 0.5) / (CELLS_ALONG - 2) - 0.5
    along = np.concatenate([[-0.5], inner, [0.5]])
    row, column = np.divmod(np.arange(N_CELLS), CELLS_ALONG)
    return np.asarray(np.stack([along[column], along[row]], axis=1) * layout.size_mm[:, None, :])


def _inner() -> Bools:
    """(72,) cells that do not cover the margin, for both axes."""
    place = np.divmod(np.arange(N_CELLS), CELLS_ALONG)
    within = [(one > 0) & (one < CELLS_ALONG - 1) for one in place]
    return np.repeat(within[0] & within[1], 2)


def _alike() -> Floats:
    """Correlation (72, 72) of the displacements of cells, by their distance; along the margin those
    of opposite edges are opposite, inwards or outwards."""
    place = np.divmod(np.arange(N_CELLS), CELLS_ALONG)
    apart = [np.subtract.outer(one, one) ** 2 for one in place]
    across = [np.subtract.outer(one, CELLS_ALONG - 1 - one) ** 2 for one in place]
    row, column = 0, 1
    cells = np.exp(-0.5 * (apart[row] + apart[column]) / _REACH**2)
    found = np.zeros((N_CELLS, 2, N_CELLS, 2))
    inner = _inner().reshape(N_CELLS, 2)[:, 0]
    for axis, (along, other) in enumerate(((column, row), (row, column))):
        margin = _opposed(apart[along] + apart[other], across[along] + apart[other])
        mixed = np.where(inner, cells, margin)
        found[:, axis, :, axis] = np.where(np.equal.outer(inner, inner), mixed, 0.0)
    return found.reshape(2 * N_CELLS, 2 * N_CELLS)


def _opposed(apart: Floats, across: Floats) -> Floats:
    """Correlation that changes its sign between opposite edges, from squared distances in cells."""
    near, far = (np.exp(-0.5 * one / _REACH_OF_MARGIN**2) for one in (apart, across))
    return np.asarray(near - far)


def _without_rigid(weight: Floats, pull: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """M (k, k) and M m (k,) for weights W, sums W m (k,) and W J (k, 6)."""
    seen = np.maximum(weight, 1e-300)
    square = gain.T @ (gain / seen[:, None])
    scale = 1.0 / np.sqrt(np.maximum(np.diag(square), 1e-300))
    back = np.linalg.pinv(square * np.outer(scale, scale), rcond=_LEAST_SHARE, hermitian=True)
    back *= np.outer(scale, scale)
    left = pull - gain @ (back @ (gain.T @ (pull / seen)))
    return np.diag(weight) - gain @ back @ gain.T, left


def _moments(matrix: Floats, left: Floats, alike: Floats) -> tuple[float, float, float]:
    """X - nu, nu and the trace of M times the correlation, for M (k, k) and M m (k,)."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scale[np.diag(matrix) <= 0.0] = 0.0
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    good = values > _LEAST_SHARE
    along = (vectors.T @ (left * scale))[good]
    degrees = float(np.count_nonzero(good))
    return float((along**2 / values[good]).sum()) - degrees, degrees, float((matrix * alike).sum())


def _variances(excess: Floats, degrees: Floats, trace: Floats) -> tuple[Floats, Floats]:
    """tau^2 (n,), and the standard deviations (n,) by which X exceeds nu."""
    known = degrees > 0.0
    if not known.any():
        return np.zeros(len(excess)), np.zeros(len(excess))
    degrees = np.maximum(degrees, 1.0)
    trace = np.maximum(trace, 1e-300)
    own = np.where(known, excess / trace, 0.0)
    usual = max(float(np.median(own[known])), 0.0)
    scatter = np.hypot(np.sqrt(2.0 * degrees) / trace, usual * np.sqrt(2.0 / degrees))
    above = known & (own - usual > _SIGNIFICANT * scatter)
    significant = np.where(known, excess / np.sqrt(2.0 * degrees), 0.0)
    return np.where(above, own, usual), significant


def _of_structure(
    layout: Layout,
    statements: Sequence[Statement],
    free: tuple[int, ...],
    covariance: Floats,
    size: Floats,
    common: Floats,
    aspect: float,
) -> Floats:
    """Covariance (n f, n f) of the errors that displacements of cells by ``size`` (n,) in each
    panel, and by ``common`` (72,) and a stretch by ``aspect`` in all panels alike, cause."""
    n = len(size)
    known = [one for one in statements if one.sums is not None]
    gain = np.sum([one.sums.gain for one in known if one.sums is not None], axis=0)
    own = np.sum([one.whole.own for one in known], axis=0)
    alike = _alike()
    by = _inverses(own) @ gain.reshape(n, -1, N_PARAMETERS).transpose(0, 2, 1)
    apparent = by @ alike @ by.transpose(0, 2, 1) * (size**2)[:, None, None]
    shared = (by * common).reshape(n * N_PARAMETERS, -1)
    information = np.sum([one.whole.information for one in known], axis=0)
    reach = covariance @ _rows(information, free)
    total = block_diagonal(apparent) + shared @ alike @ shared.T
    apart = _apart(layout)
    total += _stretch(layout, known, size, common, aspect) * np.outer(apart, apart)
    return np.asarray(reach @ total @ reach.T)


def stretch_ppm(layout: Layout, correction: Correction, measured: Bools) -> float:
    """By how much further apart the ``measured`` (n,) panels stand than drawn, in ppm.

    0 if it is no more than their other displacements in the plane let expect.

    A wrong pixel size makes panels stand apart so, since it is taken for another distance.
    """
    from scipy.special import stdtr  # only derivations need it

    chosen = np.flatnonzero(measured)
    if 2 * len(chosen) <= _COMMON:
        return 0.0
    axes = layout.frames.rotation[chosen][:, :, :2].transpose(0, 2, 1)
    apart = _apart(layout).reshape(-1, N_PARAMETERS)[chosen, :2].ravel()
    place = layout.centre_root_mm[chosen] - layout.centre_root_mm.mean(axis=0)
    about = np.einsum("nij,nj->ni", axes, np.cross(np.array([0.0, 0.0, 1.0]), place)).ravel()
    common = np.column_stack([axes.reshape(-1, 3)[:, :2], about, apart])
    moved = correction.values[chosen, :2].ravel()
    found, *_ = np.linalg.lstsq(common, moved, rcond=None)
    degrees = len(moved) - _COMMON
    left = moved - common @ found
    variance = float(left @ left) / degrees * np.linalg.pinv(common.T @ common)[-1, -1]
    if variance <= 0.0:
        return 0.0
    chance = 2.0 * stdtr(degrees, -abs(found[-1]) / np.sqrt(variance))
    return float(1e6 * found[-1]) if chance < _STRETCHED else 0.0


def _apart(layout: Layout) -> Floats:
    """(6 n,) displacements of panels that stand further apart by 100 %, in the plane, in mm."""
    place = layout.centre_root_mm - layout.centre_root_mm.mean(axis=0)
    own = np.einsum("nij,ni->nj", layout.frames.rotation, place)
    out = np.zeros((len(layout), N_PARAMETERS))
    out[:, :2] = own[:, :2]
    return out.ravel()


def _stretch(
    layout: Layout,
    known: Sequence[Statement],
    size: Floats,
    common: Floats,
    aspect: float = 0.0,
) -> float:
    """Variance of e for displacements of cells by ``size`` (n,) in each panel and by ``common``
    (72,) in all panels alike, in mm, and a stretch by ``aspect`` along one axis."""
    n, alike = len(size), _alike()
    weight = np.sum([one.sums.weight for one in known if one.sums is not None], axis=0)
    place = _places(layout)
    lever = (weight * place).reshape(n, -1)
    total = float((weight * place**2).sum())
    if total <= 0.0:
        return 0.0
    at_once = lever.sum(axis=0) * common
    own = np.einsum("pi,ij,pj->p", lever, alike, lever) * size**2
    variance = float((at_once @ alike @ at_once + own.sum()) / total**2)
    return variance + (_BOTH_AXES * aspect) ** 2


def _excess(
    statement: Statement,
    sums: PanelSums,
    free: tuple[int, ...],
    covariance: Floats,
    achieved: float,
) -> Floats:
    """Ratio (f,) of the variance between blocks to that of independent residuals, less 1, of each
    free parameter over all panels; 0 where it is below, within its own uncertainty."""
    n, equations, count = len(sums.weight), statement.whole, len(sums.scores)
    scores = multiply_blocks(sums.scores.reshape(count, -1), _inverses(equations.own))
    scores = (
        multiply_blocks(scores, equations.own)
        - (scores @ equations.coupling.T) @ equations.coupling
    )
    scores = scores - scores.mean(axis=0)
    moved = scores[:, _columns(n, free)] @ covariance
    between = (moved**2).sum(axis=0) * count / (count - 1.0)
    reach = covariance @ _rows(equations.information, free)[:, _columns(n, free)]
    alone = np.einsum("ij,ij->i", reach, covariance)
    variance = np.diag(covariance)
    sizes = [(one / variance).reshape(n, -1).sum(axis=0) for one in (between, alone)]
    ratio = sizes[0] / np.maximum(sizes[1] * achieved, 1e-300)
    slack = np.sqrt(2.0 / (count * min(n, 8)))
    return np.asarray(np.maximum(ratio - 1.0 - slack, 0.0))


def _inverses(own: Floats) -> Floats:
    """Inverses (n, 6, 6) of the information on each panel, over what it determines."""
    scale = np.sqrt(np.maximum(np.diagonal(own, axis1=1, axis2=2), 1e-300))
    both = scale[:, :, None] * scale[:, None, :]
    return np.asarray(np.linalg.pinv(own / both, rcond=_LEAST_SHARE, hermitian=True) / both)


def _columns(n: int, free: tuple[int, ...]) -> Ints:
    return np.asarray(np.add.outer(np.arange(n) * N_PARAMETERS, np.array(free)).ravel())


def _rows(information: Floats, free: tuple[int, ...]) -> Floats:
    """The rows (n f, 6 n) of the free parameters."""
    return np.asarray(information[_columns(len(information) // N_PARAMETERS, free)])
