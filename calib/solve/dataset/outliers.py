"""Classification of outliers, and the ratio of observed to stated standard deviations.

Residuals are compared with the median of their panel, so that reflections on a displaced panel are
not outliers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import erf
from typing import TYPE_CHECKING

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from calib.solve.dataset.observations import Observations

SIGMA_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
_HUBER = 2.0
_REJECT_BEYOND = 3.2
"""Limit of rejection, in robust standard deviations of any coordinate."""
_DISTRUST = 4.0
"""Outliers beyond the limits on their number are kept with a weight that falls with this power of
the deviation, so that weight times residual falls with its cube."""
MOST_REJECTED = 0.06
"""Largest fraction of a dataset's usable reflections that is rejected."""
MOST_REJECTED_ON_PANEL = 0.15
"""The same for a panel with at least ``_POPULATED`` usable reflections."""
_POPULATED = 50
_OWN_SCATTER_FROM = 20
"""While panels are not refined, panels with so many reflections use their own scatter if it is
larger, since a tilt spreads residuals."""


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


def classify_outliers(
    seen: Observations, residuals: Floats, *, in_place: bool
) -> OutlierClassification:
    """Classify reflections as outliers or not.

    A reflection further than ``_REJECT_BEYOND`` robust standard deviations in x, y or phi from its
    panel's median is rejected, the worst first, but at most ``MOST_REJECTED`` of all and
    ``MOST_REJECTED_ON_PANEL`` of a panel. Outliers in excess of these limits have a trust of
    (limit / deviation)^4, all other reflections one of 1. ``in_place`` states that the panels have
    been refined, so that all should have the same scatter.
    """
    badness = _badness(seen, residuals, in_place=in_place)
    lost = ~np.isfinite(badness)
    wild = np.flatnonzero(lost | (badness > _REJECT_BEYOND))
    worst_first = wild[np.argsort(-np.where(lost[wild], np.inf, badness[wild]), kind="stable")]
    counts = np.bincount(seen.panel)
    allowed = np.where(counts >= _POPULATED, np.floor(MOST_REJECTED_ON_PANEL * counts), counts)
    panel = seen.panel[worst_first]
    rejected = worst_first[_rank_on_panel(panel) < allowed[panel]]
    keep = ~lost
    keep[rejected[: int(MOST_REJECTED * len(seen))]] = False
    trust = keep.astype(np.float64)
    trusted = wild[keep[wild]]
    trust[trusted] = (badness[trusted] / _REJECT_BEYOND) ** -_DISTRUST
    return OutlierClassification(keep, trust)


def _badness(seen: Observations, residuals: Floats, *, in_place: bool) -> Floats:
    """Largest deviation (n,) from the panel's median, in robust standard deviations."""
    order, bounds = _by_panel(seen.panel)
    centred = residuals / seen.sigma
    if order is not None:
        for row in centred:
            row[:] = row[order]
    members = [slice(a, b) for a, b in pairwise(bounds.tolist()) if b > a]
    for mine in members:
        centred[:2, mine] -= _median(centred[:2, mine])
    finite = np.isfinite(centred[0])
    size = np.abs(centred, out=centred)
    overall = SIGMA_PER_MAD * np.concatenate([_median(row[None]) for row in size])
    for mine in members:
        scatter = overall
        if not in_place and finite[mine].sum() >= _OWN_SCATTER_FROM:
            scatter = np.maximum(overall, SIGMA_PER_MAD * _median(size[:, mine]))
        size[:, mine] /= np.maximum(scatter, 1e-12)
    badness: Floats = size.max(axis=0)
    if order is None:
        return badness
    out = np.empty_like(badness)
    out[order] = badness
    return out


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
    if np.isfinite(values).all():
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
