"""Classification of outliers, and the ratio of observed to stated standard deviations.

Residuals are compared with the median of their panel, so that reflections on a displaced panel are
not outliers. Reflections that an earlier refinement flagged as outliers, often one with a rigid
detector, are considered anew: around the mode of their panel where many are flagged, since those
that are left are then a biased choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import erf
from typing import TYPE_CHECKING

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.solve.algebra.density import mode, within
from calib.solve.algebra.statistics import SIGMA_PER_MAD

if TYPE_CHECKING:
    from calib.solve.dataset.observations import Observations

_HUBER = 2.0
_REJECT_BEYOND = 3.2
"""Limit of rejection, in robust standard deviations of any coordinate."""
_DISTRUST = 4.0
"""Outliers beyond the limits on their number are kept with a weight that falls with this power of
the deviation, so that weight times residual falls with its cube."""
MOST_REJECTED = 0.06
"""Largest fraction of a dataset's usable reflections that is rejected."""
MOST_REJECTED_ON_PANEL = 0.15
"""The same for a panel with at least ``POPULATED`` usable reflections."""
POPULATED = 50
_OWN_SCATTER_FROM = 20
"""While panels are not refined, panels with so many reflections use their own scatter if it is
larger, since a tilt spreads residuals."""
FEWEST = 5
"""Reflections of a panel whose median is believed."""
_MANY_FLAGGED = 0.2
"""Fraction of flagged reflections above which the mode of a panel replaces its median."""
_MODE_REACH = 2.0
_LEAST_AGREEMENT = 0.5
"""Fraction of the reflections of such a panel that must agree with each other."""
_LARGEST_GROWTH = 1.5
"""Of a panel's scatter, by flagged reflections that are used again."""
_SECOND_FROM, _SECOND_SHARE = 10, 0.1
"""Reflections that form a second mode, and as a fraction of those of the first."""


def covariance_inflation() -> float:
    """Factor on the covariance for truncating a normal distribution at the limit of rejection.

    The scatter of the reflections that are kept is too small by the factor 1 - p, p being
    ``rejected_pull``, and the information of the tails is lost by the same factor (Huber 1981,
    section 4.8).
    """
    return float((1.0 - rejected_pull()) ** -2.0)


def rejected_pull() -> float:
    """Fraction of a small common offset of reflections that is lost if the limits of rejection, at
    +-c, do not move with it: 2 c phi(c), divided by the fraction of reflections that is kept."""
    density = np.exp(-0.5 * _REJECT_BEYOND**2) / np.sqrt(2.0 * np.pi)
    return float(2.0 * _REJECT_BEYOND * density / erf(_REJECT_BEYOND / np.sqrt(2.0)))


def robust_scale(seen: Observations, residuals: Floats, smallest: Floats | None = None) -> Floats:
    """Observed over stated standard deviation (3,) of x, y and phi, from the median; 1 if no
    reflection can be predicted.

    ``smallest`` (3,), in mm, mm and rad, is a lower limit of the observed ones: pose and crystal
    can fit a few reflections exactly.
    """
    if not np.isfinite(residuals).any():
        return np.ones(3)
    rows = zip(residuals, seen.sigma, strict=True)
    size = SIGMA_PER_MAD * np.array([np.nanmedian(np.abs(row) / sigma) for row, sigma in rows])
    if smallest is None:
        return np.asarray(size)
    return np.asarray(np.maximum(size, smallest / np.median(seen.sigma, axis=1)))


def huber_weights(seen: Observations, residuals: Floats, smallest: Floats | None = None) -> Floats:
    """Inverse variances (3, n), falling as 1/|residual| beyond two robust standard deviations;
    ``smallest`` (3,) as of ``robust_scale``."""
    scale = robust_scale(seen, residuals, smallest)
    weights = np.empty_like(residuals)
    lost = np.zeros(len(seen), dtype=np.bool_)
    for row in range(3):
        sigma = seen.sigma[row] * scale[row]
        far = np.abs(residuals[row])
        lost |= ~np.isfinite(far)
        far /= sigma
        np.minimum(1.0, _HUBER / np.maximum(far, 1e-12), out=weights[row])
        weights[row] /= np.square(sigma, out=sigma)
    weights[:, lost] = 0.0
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class OutlierClassification:
    """Which reflections are kept, and factors on their weights."""

    keep: Bools
    """(n,) reflections that are not rejected."""
    trust: Floats
    """(n,) factors on the weights, 0 to 1."""
    disputed: tuple[int, ...] = ()
    """Panels with many flagged reflections of which, flagged or not, less than half agree; none of
    them is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelLimits:
    """What is known of n panels before the reflections of a dataset are classified."""

    tolerance_mm: Floats
    """(n,) standard deviation of the prior of their shifts in the plane."""
    too_few: Bools
    """(n,) whether a panel has fewer than ``FEWEST`` reflections in all datasets together."""


def classify_outliers(
    seen: Observations, residuals: Floats, *, in_place: bool, limits: PanelLimits | None = None
) -> OutlierClassification:
    """Classify reflections as outliers or not.

    A reflection further than ``_REJECT_BEYOND`` robust standard deviations in x, y or phi from its
    panel's median is rejected, the worst first, but at most ``MOST_REJECTED`` of all and
    ``MOST_REJECTED_ON_PANEL`` of a panel. Outliers in excess of these limits have a trust of
    (limit / deviation)^4, all other reflections one of 1. ``in_place`` states that the panels have
    been refined, so that all should have the same scatter.

    With ``limits``, a panel with fewer than ``FEWEST`` reflections has no median: they are compared
    with their prediction, and none is kept if there are so few in all datasets. Flagged reflections
    are kept only once panels are ``in_place``, where they agree with their panel.
    """
    deviations = _deviations(seen, residuals, in_place=in_place, limits=limits)
    considered: Bools = np.ones(len(seen), dtype=np.bool_)
    disputed: tuple[int, ...] = ()
    if seen.flagged is not None:
        considered = ~seen.flagged
        if in_place:
            back, disputed = _readmitted(seen.panel, seen.flagged, deviations)
            considered = (considered | back) & ~np.isin(seen.panel, disputed)
    if limits is not None and limits.too_few.any():
        considered &= ~limits.too_few[seen.panel]
    badness = np.abs(deviations, out=deviations).max(axis=0)
    lost = ~np.isfinite(badness)
    wild = np.flatnonzero(considered & (lost | (badness > _REJECT_BEYOND)))
    worst_first = wild[np.argsort(-np.where(lost[wild], np.inf, badness[wild]), kind="stable")]
    counts = np.bincount(seen.panel[considered], minlength=int(seen.panel.max(initial=0)) + 1)
    allowed = np.where(counts >= POPULATED, np.floor(MOST_REJECTED_ON_PANEL * counts), counts)
    panel = seen.panel[worst_first]
    rejected = worst_first[_rank_on_panel(panel) < allowed[panel]]
    keep = considered & ~lost
    keep[rejected[: int(MOST_REJECTED * int(considered.sum()))]] = False
    trust = keep.astype(np.float64)
    trusted = wild[keep[wild]]
    trust[trusted] = (badness[trusted] / _REJECT_BEYOND) ** -_DISTRUST
    return OutlierClassification(keep, trust, disputed)


def _readmitted(panel: Ints, flagged: Bools, deviations: Floats) -> tuple[Bools, tuple[int, ...]]:
    """Which flagged reflections (n,) agree with their panel, and panels that are disputed.

    ``deviations`` (3, n) are in robust standard deviations. None is readmitted to a panel whose
    scatter would grow, or whose other reflections have a mode of their own, as of a second lattice.
    """
    back: Bools = np.zeros(len(panel), dtype=np.bool_)
    disputed = []
    for index in np.unique(panel[flagged]).tolist():
        mine = np.flatnonzero(panel == index)
        mine = mine[np.isfinite(deviations[:, mine]).all(axis=0)]
        if not len(mine):
            continue
        own, flags = deviations[:, mine], flagged[mine]
        agree = within(own, np.zeros((3, 1)), _REJECT_BEYOND)
        if flags.mean() > _MANY_FLAGGED and agree.mean() < _LEAST_AGREEMENT:
            disputed.append(index)
        elif not _grows(own[:, agree], flags[agree]) and not _has_mode(own[:, ~agree], agree.sum()):
            back[mine[agree & flags]] = True
    return back, tuple(disputed)


def _grows(agreeing: Floats, flags: Bools) -> bool:
    """Whether flagged ones among deviations (3, n) make the scatter of a panel larger than it is,
    or than usual."""
    plain = agreeing[:, ~flags]
    before = np.sqrt((plain**2).mean(axis=1)) if plain.shape[1] >= FEWEST else np.ones(3)
    after = np.sqrt((agreeing**2).mean(axis=1)) if agreeing.shape[1] else np.zeros(3)
    return bool((after > _LARGEST_GROWTH * np.maximum(before, 1.0)).any())


def _has_mode(apart: Floats, n_agreeing: int) -> bool:
    """Whether deviations (3, n) that do not agree with their panel agree with each other."""
    if apart.shape[1] < _SECOND_FROM:
        return False
    together = int(within(apart, mode(apart, _MODE_REACH), _REJECT_BEYOND).sum())
    return together >= max(_SECOND_FROM, _SECOND_SHARE * n_agreeing)


def _deviations(
    seen: Observations, residuals: Floats, *, in_place: bool, limits: PanelLimits | None
) -> Floats:
    """Deviations (3, n) from the centre of each panel, in robust standard deviations."""
    order, bounds = _by_panel(seen.panel)
    scaled, flagged = residuals / seen.sigma, seen.flagged
    sigma = seen.sigma[:2]
    if order is not None:
        for row in scaled:
            row[:] = row[order]
        sigma = sigma[:, order]
        flagged = None if flagged is None else flagged[order]
    counts: Bools = np.ones(len(seen), dtype=np.bool_) if flagged is None else ~flagged
    panels = [
        (index, slice(a, b)) for index, (a, b) in enumerate(pairwise(bounds.tolist())) if b > a
    ]
    few = [limits is not None and part.stop - part.start < FEWEST for _, part in panels]
    for (_, mine), is_few in zip(panels, few, strict=True):
        if not is_few:
            scaled[:2, mine] -= _median(_chosen(scaled[:2, mine], counts[mine]))
    overall = _scatter(scaled, counts)
    if flagged is not None:
        for (_, mine), is_few in zip(panels, few, strict=True):
            if not is_few and flagged[mine].mean() > _MANY_FLAGGED:
                scaled[:2, mine] -= mode(scaled[:2, mine], _MODE_REACH * overall[:2])
                counts[mine] = True
        overall = _scatter(scaled, counts)
    for (index, mine), is_few in zip(panels, few, strict=True):
        scatter = overall
        if not in_place:
            own = _chosen(scaled[:, mine], counts[mine])
            if is_few and limits is not None:
                tolerance = limits.tolerance_mm[index] / np.median(sigma[:, mine], axis=1)
                scatter = np.hypot(overall, np.append(tolerance, 0.0)[:, None])
            elif np.isfinite(own[0]).sum() >= _OWN_SCATTER_FROM:
                scatter = np.maximum(overall, _scatter(own))
        scaled[:, mine] /= np.maximum(scatter, 1e-12)
    if order is None:
        return scaled
    out = np.empty_like(scaled)
    out[:, order] = scaled
    return out


def _scatter(values: Floats, chosen: Bools | None = None) -> Floats:
    """Robust standard deviations (k, 1) of rows of values (k, n) about zero."""
    rows = values if chosen is None else _chosen(values, chosen)
    return np.asarray(SIGMA_PER_MAD * np.concatenate([_median(np.abs(row)[None]) for row in rows]))


def _chosen(values: Floats, chosen: Bools) -> Floats:
    """The columns of values (k, n) with ``chosen`` (n,), without a copy if all are."""
    return values if chosen.all() else np.asarray(values[:, chosen])


def _by_panel(panel: Ints) -> tuple[Ints | None, Ints]:
    """The order (n,) that sorts reflections by panel, None if they are sorted, and the index at
    which each panel begins."""
    order = None
    if (np.diff(panel) < 0).any():
        order = np.argsort(panel.astype(np.int16), kind="stable")  # radix sort
        panel = panel[order]
    return order, np.searchsorted(panel, np.arange(int(panel.max(initial=0)) + 2))


def _median(values: Floats) -> Floats:
    """Medians (k, 1) of the finite values in each row of (k, n); 0 for rows without any."""
    if values.shape[1] and np.isfinite(values).all():
        return np.asarray(np.median(values, axis=1, keepdims=True))
    finite = [row[np.isfinite(row)] for row in values]
    return np.array([[float(np.median(row)) if len(row) else 0.0] for row in finite])


def _rank_on_panel(panel: Ints) -> Ints:
    """Number (n,) of reflections of the same panel before each."""
    by_panel = np.argsort(panel, kind="stable")
    starts = np.searchsorted(panel[by_panel], panel[by_panel], side="left")
    rank = np.empty(len(panel), dtype=np.int64)
    rank[by_panel] = np.arange(len(panel)) - starts
    return rank
