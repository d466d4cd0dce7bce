"""Widths of the prior of the panels, learned from the data.

Let the datasets together give N x = b for the panels' parameters x, and let x = sum_c B_c z_c be
the sum of the deviations z_c of groups and panels, with variances S_c = s^2 / lambda_c. The widths
s of each level and kind (shifts in the plane, along the normal, rotations) maximise the marginal
likelihood of what the data determine apart from the rigid motions of all panels (restricted
maximum likelihood, with pseudo-determinants), times a log-normal hyperprior by a factor of 3 about
the assembly tolerance. With A = N + P' + C as in ``calib.solve.panels.system``,

    V = N - N A^-1 N,   y = S^1/2 B^T P' x,   U = S^1/2 B^T V B S^1/2,

the gradient by the logarithm a of a variance is half the sum of y^2 - U_ii over its deviations, and
the expected information is half the sum of U_ij^2 over its pairs (Patterson and Thompson,
Biometrika 58, 545-554, 1971). A level with fewer than 20 independent deviations has one factor for
all kinds.

A deviation follows a normal distribution with the tails of Student's t: with q the expectation of
the squared deviation in units of its level, over all f parameters, lambda is 1 up to the 99th
percentile c of chi-square and (nu + c) / (nu + q) beyond. One replaced panel has a wide prior then;
in the sums over its level it counts by lambda once more, so that the others keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.layout import Layout
from calib.model.result.report import Deviating, LearnedPrior, PriorWidths
from calib.solve.algebra.linalg import gauge_free, inverse, whitener
from calib.solve.prior import KINDS, PanelPrior, Stratum, group_moves

_HYPERPRIOR = log(3.0)
"""Standard deviation of the logarithm of a width about that of the tolerance."""
_FEWEST_CONTRASTS = 20
_TAIL = 4.0
"""Degrees of freedom nu of the tails."""
_NORMAL_WITHIN = {3: 11.34, 6: 16.81}
"""99th percentile of chi-square by the number of free parameters."""
_MOST_STEPS = 40
_LONGEST_STEP = 2.0
_NEAR = 0.3
"""Change of the logarithms of variances below which panels are compared with their level."""
_MEMORY = 3
"""Number of steps that the next one is extrapolated from."""
_SETTLED = 1e-6
"""Change of the logarithms of variances at which they are final."""
_KNOWN = 0.15
"""Standard uncertainty of the logarithm of a width below which it is taken as known."""


@dataclass(frozen=True, slots=True, eq=False)
class DataEquations:
    """What the datasets together state about the free parameters, apart from the prior."""

    information: Floats
    """(n f, n f) N."""
    vector: Floats
    """(n f,) b: the right-hand side for the parameters themselves."""
    gauge: Floats
    """(n f, k) rigid motions that the data do not determine."""
    fixed: Floats
    """(n f, n f) C, the convention that fixes them."""
    seen: Bools
    """(n,) panels with reflections."""

    def restricted(self) -> DataEquations:
        """The same of the panels with reflections alone; no others state anything of the widths."""
        rows = np.repeat(self.seen, len(self.vector) // len(self.seen))
        both = np.ix_(rows, rows)
        return DataEquations(
            self.information[both], self.vector[rows], self.gauge[rows], self.fixed[both], self.seen
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Deviations:
    """Deviations z_c of m groups and panels, of f parameters each: first those of all groups, then
    those of the panels with reflections."""

    moves: Floats
    """(g f, p f) B^T of the g groups, over the parameters of the p panels."""
    sigma: Floats
    """(m, f) tolerances."""
    width: Ints
    """(m, f) index of the logarithm a; -1 where the width is the tolerance."""
    strata: tuple[tuple[Stratum, int, tuple[int, int, int]], ...]
    """Each level with its number of contrasts and the three indices of its logarithms."""
    n_widths: int
    places: Ints
    """(m,) index of the group, or the number of groups plus that of the panel."""

    @staticmethod
    def of(prior: PanelPrior, layout: Layout, free: tuple[int, ...], seen: Bools) -> _Deviations:
        """The deviations of the panels ``seen`` (n,) and of all groups."""
        g, n, f = len(layout.groups), len(layout), len(free)
        moves = np.zeros((g, f, n, f))
        for place, group in zip(moves, layout.groups, strict=True):
            own = group_moves(layout, group, free).reshape(-1, f, f)
            place[:, list(group.panels)] = own.transpose(2, 0, 1)
        kinds = np.array(KINDS)[list(free)]
        width, strata, count = np.full((g + n, f), -1), [], 0
        for stratum in prior.strata(layout):
            n_contrasts, indices = _contrasts(stratum, layout, seen) * f, (-1, -1, -1)
            if stratum.is_refined:
                tied = n_contrasts < _FEWEST_CONTRASTS
                each = [0 if tied else int((np.unique(kinds) < kind).sum()) for kind in range(3)]
                found = [count + k if kind in kinds else -1 for kind, k in enumerate(each)]
                indices = (found[0], found[1], found[2])
                count = max(indices) + 1
            rows = np.array(stratum.members) + (0 if stratum.of_groups else g)
            width[rows] = np.array(indices)[kinds]
            strata.append((stratum, n_contrasts, indices))
        places = np.concatenate([np.arange(g), g + np.flatnonzero(seen)])
        return _Deviations(
            moves=moves[:, :, seen].reshape(g * f, int(seen.sum()) * f),
            sigma=np.concatenate(replace(prior, learned=None).widths(layout, free))[places],
            width=width[places],
            strata=tuple(strata),
            n_widths=count,
            places=places,
        )

    def across(self, matrix: Floats) -> Floats:
        """B^T M (or B^T v) for M (p f, ...)."""
        return np.concatenate([self.moves @ matrix, matrix]) if len(self.moves) else matrix

    def variances(self, logs: Floats, tails: Floats) -> Floats:
        """(m, f) S for logarithms a and lambda (m,)."""
        factor = np.where(self.width >= 0, np.exp(np.append(logs, 0.0))[self.width], 1.0)
        return np.asarray(self.sigma**2 * factor / tails[:, None])

    def precision(self, variance: Floats) -> Floats:
        """(B S B^T)^-1 (p f, p f) for variances (m, f)."""
        flat, n_groups = variance.ravel(), len(self.moves)
        if not n_groups:
            return np.diag(1.0 / flat)
        groups = (self.moves.T * flat[:n_groups]) @ self.moves
        return inverse(groups + np.diag(flat[n_groups:]))

    def summed(self, values: Floats) -> Floats:
        """Sums (w,) of values (m, f) over the deviations of each width."""
        known = self.width >= 0
        sums = np.bincount(self.width[known], values[known], self.n_widths)
        return np.asarray(sums, dtype=np.float64)

    def summed_pairs(self, values: Floats, weight: Floats) -> Floats:
        """Sums (w, w) of values (m f, m f) over the pairs of deviations of each two widths, with
        weights (m,)."""
        member = self.width == np.arange(self.n_widths)[:, None, None]
        rows = (member * weight[:, None]).reshape(self.n_widths, -1)
        return np.asarray(rows @ values @ rows.T)


def _contrasts(stratum: Stratum, layout: Layout, seen: Bools) -> int:
    """Number of panels or groups with reflections, less that of what they are mounted on."""
    members = (layout.groups[k].panels if stratum.of_groups else (k,) for k in stratum.members)
    n_seen = sum(bool(seen[list(panels)].any()) for panels in members)
    return max(n_seen - stratum.n_above, 0)


def learn_widths(
    prior: PanelPrior, layout: Layout, free: tuple[int, ...], stated: DataEquations
) -> tuple[PanelPrior, tuple[PanelPrior, ...]]:
    """The prior with learned widths, and priors that represent the uncertainty of these.

    ``prior`` holds the tolerances, and the widths that were learned before, if there are any, from
    which the iteration starts. The further priors are equally probable nodes of a cubature; there
    are none where all widths are known to 15 %.
    """
    deviations = _Deviations.of(prior, layout, free, stated.seen)
    if not deviations.n_widths:
        return prior, ()
    logs, tails = _start(prior, layout, free, deviations)
    stated = stated.restricted()
    hyperprior = np.full(deviations.n_widths, 0.25 * _HYPERPRIOR**-2.0)
    near, limit = prior.learned is not None, _NORMAL_WITHIN[len(free)]
    before: list[tuple[Floats, Floats]] = []
    for _ in range(_MOST_STEPS):
        square, products = _statistics(deviations, deviations.variances(logs, tails), stated)
        excess = square - np.diagonal(products).reshape(square.shape)
        gradient = 0.5 * deviations.summed(excess * tails[:, None]) - hyperprior * logs
        curvature = np.diag(hyperprior) + 0.5 * deviations.summed_pairs(products**2, tails)
        step = np.clip(np.linalg.solve(curvature, gradient), -_LONGEST_STEP, _LONGEST_STEP)
        near = near or bool(np.abs(step).max() < _NEAR)
        if not near:
            logs = logs + step
            continue
        size = (excess + 1.0).sum(axis=1) / tails
        narrower, tails = tails, np.where(size > limit, (_TAIL + limit) / (_TAIL + size), 1.0)
        if max(np.abs(step).max(), np.abs(np.log(tails / narrower)).max()) < _SETTLED:
            break
        before = [*before[-_MEMORY:], (logs, step)]
        logs = logs + _accelerated(before)
    covariance: Floats = inverse(curvature)
    found = replace(prior, learned=_learned(prior, deviations, logs, tails, covariance))
    nodes = [
        replace(prior, learned=_learned(prior, deviations, node, tails, covariance))
        for node in _nodes(logs, covariance)
    ]
    return found, tuple(nodes)


def _accelerated(points: list[tuple[Floats, Floats]]) -> Floats:
    """The next step, by Anderson's acceleration of the last points with their steps (w,).

    Where few panels determine a width, steps overshoot by almost their own length.
    """
    step = points[-1][1]
    moved = np.diff([point for point, _ in points], axis=0).T
    bent = np.diff([one for _, one in points], axis=0).T
    if not bent.size or np.abs(step).max() > _NEAR:
        return step
    share, *_ = np.linalg.lstsq(bent, step, rcond=1e-3)
    found = step - (moved + bent) @ share
    return np.asarray(found) if np.abs(found).max() < _LONGEST_STEP else step


def _start(
    prior: PanelPrior, layout: Layout, free: tuple[int, ...], deviations: _Deviations
) -> tuple[Floats, Floats]:
    """Logarithms a, and lambda (m,), of the widths that ``prior`` has."""
    logs, tails = np.zeros(deviations.n_widths), np.ones(len(layout.groups) + len(layout))
    if prior.learned is None:
        return logs, tails[deviations.places]
    for one in prior.learned.deviating:
        tails[one.index + (0 if one.is_group else len(layout.groups))] = one.factor**-2.0
    tails = tails[deviations.places]
    now = np.concatenate(prior.widths(layout, free))[deviations.places] * np.sqrt(tails)[:, None]
    ratio = deviations.summed(2.0 * np.log(now / deviations.sigma))
    count = deviations.summed(np.ones_like(deviations.sigma))
    return np.asarray(ratio / np.maximum(count, 1.0)), tails


def _statistics(
    deviations: _Deviations, variance: Floats, stated: DataEquations
) -> tuple[Floats, Floats]:
    """y^2 (m, f) and U (m f, m f)."""
    prior = gauge_free(deviations.precision(variance), stated.gauge)
    matrix = stated.information + prior + stated.fixed
    scale = 1.0 / np.sqrt(np.diag(matrix))
    white = whitener(matrix * np.outer(scale, scale)) * scale
    reach = white @ stated.information
    left = stated.information - reach.T @ reach
    pulled = prior @ (white.T @ (white @ stated.vector))
    root = np.sqrt(variance).ravel()
    products = deviations.across(deviations.across(left).T) * root * root[:, None]
    square = (deviations.across(pulled) * root) ** 2
    return square.reshape(variance.shape), products


def _nodes(logs: Floats, covariance: Floats) -> list[Floats]:
    """Equally weighted nodes with the mean and covariance of the logarithms a, along the directions
    in which these are uncertain."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    wide = eigenvalues > (2.0 * _KNOWN) ** 2
    reach = vectors[:, wide] * np.sqrt(eigenvalues[wide] * wide.sum())
    return [logs + sign * one for one in reach.T for sign in (-1.0, 1.0)]


def _learned(
    prior: PanelPrior, deviations: _Deviations, logs: Floats, tails: Floats, covariance: Floats
) -> LearnedPrior:
    """The widths of logarithms a, and the panels and groups with lambda (m,) below 1."""
    tolerance = [float(prior.sigma()[KINDS.index(kind)]) for kind in range(3)]
    levels = []
    for stratum, n_contrasts, indices in deviations.strata:
        known = [k >= 0 for k in indices]
        grown = [exp(0.5 * logs[k]) if k >= 0 else 1.0 for k in indices]
        spread = [0.5 * sqrt(covariance[k, k]) if k >= 0 else 0.0 for k in indices]
        levels.append(
            PriorWidths(
                level=stratum.level,
                of_groups=stratum.of_groups,
                n_contrasts=n_contrasts if any(known) else 0,
                shift_mm=tolerance[0] * stratum.factor * grown[0],
                normal_mm=tolerance[1] * stratum.factor * grown[1],
                tilt_rad=tolerance[2] * stratum.factor * grown[2],
                log_sigma=(spread[0], spread[1], spread[2]),
            )
        )
    n_groups = len(deviations.moves) // deviations.width.shape[1]
    places = deviations.places.tolist()
    deviating = tuple(
        Deviating(place < n_groups, place if place < n_groups else place - n_groups, weight**-0.5)
        for place, weight in zip(places, tails.tolist(), strict=True)
        if weight < 1.0
    )
    return LearnedPrior(tuple(levels), deviating)
