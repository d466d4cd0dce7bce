"""The joint refinement of many datasets that share one set of panel corrections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.errors import SolveError
from calib.model.arrays import Floats
from calib.model.correction import Correction
from calib.solve.fit import DatasetFit
from calib.solve.normal import Blocks
from calib.solve.options import SolveOptions
from calib.solve.panels import PanelStep, PanelSystem
from calib.solve.reject import SMALLEST_SCALE, judged
from calib.solve.variation import variation_of

_RIGID_ITERATIONS = 12
_MOST_ITERATIONS = 25
_DECIDING_ITERATIONS = 8
"""So long the rejection is decided anew; after that it stands."""
_MOVING_ITERATIONS = 2
"""So long panels that start as drawn are taken to be out of place."""
_SETTLED_SHARE = 5e-4
_ENOUGH_TO_START = 20_000
"""Reflections of a dataset from which pose and crystals are started."""
_MOST_LOST = 0.5
"""Share of a dataset's reflections that may not diffract at all where it starts."""
_CONVERGED_SIGMA = 0.02
_CLAIM_COUNTS = 3.0
"""What the claimed variances weigh against what is found, in reflections: of a few reflections
that pose, crystal and panels can follow exactly, the scatter found would be none."""

Progress = Callable[[str, int, float], None]
"""Called with the stage, the iteration, and the RMSD in px."""


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The end of a joint refinement."""

    fits: tuple[DatasetFit, ...]
    """At the solution."""
    rigid: tuple[DatasetFit, ...]
    """The same reflections and weights, pose and crystals as they were before panels moved."""
    correction: Correction
    blocks: tuple[Blocks, ...]
    """The normal equations of each dataset, linearised at the solution."""
    last: PanelStep
    """The step that was too short to matter; it holds the covariance."""
    longest_shift: float
    """Of that step, in sigma: panels and nuisance."""
    converged: bool
    iterations: int


def refined_jointly(
    starts: Sequence[DatasetFit],
    system: PanelSystem,
    progress: Progress,
    options: SolveOptions,
) -> Refined:
    """Panels, poses and crystals of all datasets refined together.

    First each dataset with rigid panels, against outliers by a Huber loss; then all together,
    the rejection decided anew at each step until it settles. Crystals that change along their
    scans start from the converged static solution: from farther away free splines and a free pose
    diverge.
    """
    rigid = [_rigid_start(fit, progress) for fit in starts]
    none = Correction.none(len(system.layout))
    found = _converged(rigid, none, system, progress, "panels")
    varying = [variation_of(fit, found.correction, options) for fit in found.fits]
    if any(varying):
        rigid = [replace(r, keep=fit.keep) for r, fit in zip(rigid, found.fits, strict=True)]
        rigid, fits = (
            [how.of(fit) if how else fit for fit, how in zip(group, varying, strict=True)]
            for group in (rigid, found.fits)
        )
        found = _converged(fits, found.correction, system, progress, "crystals")
    again = [
        replace(start, keep=fit.keep, trust=fit.trust, scale=fit.scale)
        for start, fit in zip(rigid, found.fits, strict=True)
    ]
    return replace(found, rigid=tuple(again))


def _converged(
    fits: Sequence[DatasetFit],
    correction: Correction,
    system: PanelSystem,
    progress: Progress,
    stage: str,
) -> Refined:
    """All datasets iterated from where they are; the rigid fits are left to the caller."""
    settled = False
    drawn = stage == "panels"
    for iteration in range(1, _MOST_ITERATIONS + 1):
        if not settled:
            before = [fit.keep for fit in fits]
            in_place = not drawn or iteration > _MOVING_ITERATIONS
            fits = [_judged(fit, correction, in_place=in_place) for fit in fits]
            changed = sum(int((a != f.keep).sum()) for a, f in zip(before, fits, strict=True))
            total = sum(len(fit.seen) for fit in fits)
            settled = iteration > _MOVING_ITERATIONS + 1 and (
                changed <= _SETTLED_SHARE * total or iteration > _DECIDING_ITERATIONS
            )
        found = [fit.blocks(correction) for fit in fits]
        progress(stage, iteration, _rmsd_px(fits, [r for _, r in found]))
        reduced = [fit.reduced(b, correction) for fit, (b, _) in zip(fits, found, strict=True)]
        step = system.step(correction, reduced)
        longest = max(step.shift_sigma, *(r.largest_shift(step.tangent) for r in reduced))
        if settled and longest < _CONVERGED_SIGMA:
            break
        correction = step.correction
        fits = [
            fit.moved(r.nuisance_step(step.tangent)) for fit, r in zip(fits, reduced, strict=True)
        ]
    return Refined(
        fits=tuple(fits),
        rigid=(),
        correction=correction,
        blocks=tuple(blocks for blocks, _ in found),
        last=step,
        longest_shift=longest,
        converged=settled and longest < _CONVERGED_SIGMA,
        iterations=iteration,
    )


def _rigid_start(fit: DatasetFit, progress: Progress) -> DatasetFit:
    """Pose and crystals from a part of the reflections: a start needs no more."""
    none = Correction.none(len(fit.layout))
    thin = fit.thinned(_ENOUGH_TO_START)
    moved, _ = thin.refined_at(none, robust=True, iterations=_RIGID_ITERATIONS)
    residuals = moved.residuals(none)
    lost = np.asarray(~np.isfinite(residuals).all(axis=0))
    if lost.mean() > _MOST_LOST:
        raise SolveError(
            "not-predictable",
            f"{int(lost.sum())} of {len(lost)} reflections cannot be where the experiment's models "
            "put them: crystal, beam or detector are far from the truth.",
            place=fit.dataset.name,
            remedy="refine the experiment with dials.refine first.",
        )
    progress("rigid", 1, _rmsd_px([moved], [residuals]))
    return replace(fit, state=moved.state)


def _judged(fit: DatasetFit, correction: Correction, *, in_place: bool) -> DatasetFit:
    """Outliers and weights decided from the residuals of the moment."""
    residuals = fit.residuals(correction)
    found = judged(fit.seen, residuals, in_place=in_place)
    fit = replace(fit, keep=found.keep, trust=found.trust)
    relative = residuals[:, fit.keep] / fit.seen.sigma[:, fit.keep]
    total = (relative**2) @ fit.trust[fit.keep]
    spare = max(fit.n_trusted - fit.n_parameters / 3.0, 0.0)
    scale = np.sqrt((total + _CLAIM_COUNTS) / (spare + _CLAIM_COUNTS))
    return replace(fit, scale=np.maximum(scale, SMALLEST_SCALE))


def _rmsd_px(fits: Sequence[DatasetFit], residuals: Sequence[Floats]) -> float:
    """Root mean square distance in px over the kept reflections of all datasets."""
    total, count = 0.0, 0
    for fit, found in zip(fits, residuals, strict=True):
        squared = (found[:2] / fit.pixel_mm) ** 2
        total += float(squared[:, fit.keep].sum())
        count += int(fit.keep.sum())
    return float(np.sqrt(total / max(count, 1)))
