"""Where the refinement of one dataset stands, and the operations that carry it on.

Each operation takes a ``DatasetState`` and returns the next one with an answer small enough to
send to another process (``calib.solve.parallel.executor``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.solve.dataset.batched import BatchedCrystals, BatchedSchurComplement
from calib.solve.dataset.delta_psi import spread_of_delta_psi
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.outliers import SMALLEST_SCALE, classify_outliers
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.residuals import Residuals
from calib.solve.dataset.scan_varying import following, variation_of
from calib.solve.dataset.schur import SchurComplement
from calib.solve.dataset.slip import slips_of, split
from calib.solve.options import SolveOptions

_RIGID_ITERATIONS = 12
_ENOUGH_TO_START = 6_000
"""Reflections of a dataset from which pose and crystals are started."""
_BATCHED_ITERATIONS, _FOLLOWING_ITERATIONS = 5, 2
"""Of a crowd, no part of which could start the others."""
_WORTH_THINNING = 1.5
_CLAIM_COUNTS = 3.0
"""What the claimed variances weigh against what is found, in reflections: of a few reflections
that pose, crystal and panels can follow exactly, the scatter found would be none."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetState:
    """One dataset between two steps of the joint refinement."""

    fit: DatasetFit
    """At the point of the moment."""
    rigid: DatasetFit
    """Pose and crystals as they were before panels moved."""
    blocks: Blocks | BatchedCrystals | None = None
    """The normal equations where they were last linearised."""
    complement: SchurComplement | BatchedSchurComplement | None = None
    """The same, crystals and pose eliminated: the way back to them."""
    held: Residuals | None = None
    """Those of held-out reflections, once the solution has been tested."""
    whole: DatasetFit | None = None
    """With all reflections, while ``fit`` has a part of them."""


@dataclass(frozen=True, slots=True)
class SquaredPx:
    """A sum of squared distances in px, and over how many reflections."""

    total: float
    count: int


def initialise(
    dataset: Dataset, layout: Layout, options: SolveOptions, lab_from_root: RigidMotion
) -> tuple[DatasetState, Ints]:
    """The dataset as its files have it; how many usable reflections each panel has (n,)."""
    fit = DatasetFit.start(dataset, layout, lab_from_root, options)
    # Observations hold what is needed of the reflections from here on.
    fit = following(replace(fit, dataset=dataset.without_reflections()), options)
    return DatasetState(fit, fit), np.bincount(fit.seen.panel, minlength=len(layout))


@dataclass(frozen=True, slots=True)
class RigidFit:
    """How a dataset fits with its pose and crystals refined, and panels as drawn."""

    name: str
    sha256: tuple[str, ...]
    squared: SquaredPx
    scatter_px: float
    """The median residual, of x and y in squares; infinite where hardly any can be predicted."""
    n_lost: int
    """Reflections that cannot be predicted, of ..."""
    n: int


def fit_rigid(state: DatasetState) -> tuple[DatasetState, RigidFit]:
    """Pose and crystals from a part of the reflections: a start needs no more."""
    fit = state.fit
    none = Correction.none(len(fit.layout))
    thin, iterations = fit.thinned(_ENOUGH_TO_START), _RIGID_ITERATIONS
    if fit.is_batched:
        thin, iterations = fit, _BATCHED_ITERATIONS
    moved, _ = thin.refined_at(none, robust=True, iterations=iterations)
    residuals = moved.residuals(none)
    lost = np.asarray(~np.isfinite(residuals).all(axis=0))
    few = 2 * int(lost.sum()) > len(lost)
    size = np.abs(residuals[:2] / moved.pixel_mm)[:, ~lost]
    start = replace(fit, nuisance=moved.nuisance)
    found = RigidFit(
        name=fit.dataset.name,
        sha256=tuple(sorted(fit.dataset.source.sha256)),
        squared=_squared_px(moved, residuals),
        scatter_px=np.inf if few else float(np.hypot(*np.median(size, axis=1))),
        n_lost=int(lost.sum()),
        n=len(lost),
    )
    return DatasetState(start, start), found


def take_subset(state: DatasetState, most: int) -> tuple[DatasetState, bool]:
    """Go on with about so many of the reflections; whether that is worth it."""
    fit = state.fit
    thin = fit.thinned(most)
    if len(fit.seen) < _WORTH_THINNING * len(thin.seen):
        return state, False
    return replace(state, fit=thin, whole=fit), True


def restore_all(state: DatasetState, correction: Correction) -> tuple[DatasetState, None]:
    """All reflections again, where the part of them has led; crystals that were left behind
    follow the panels to ``correction``."""
    if state.whole is None:
        return state, None
    whole = replace(state.whole, nuisance=state.fit.nuisance)
    if whole.is_batched:
        whole, _ = whole.refined_at(correction, robust=True, iterations=_FOLLOWING_ITERATIONS)
    return DatasetState(whole, state.rigid), None


def update_weights(
    state: DatasetState, correction: Correction, in_place: bool
) -> tuple[DatasetState, tuple[int, int]]:
    """Outliers and weights decided from the residuals of the moment; how many reflections were
    judged otherwise than before, and of how many."""
    fit = state.fit
    residuals = fit.residuals(correction)
    fit = _with_spread_found(fit, residuals[2])
    found = classify_outliers(fit.seen, residuals, in_place=in_place)
    changed = int((found.keep != fit.keep).sum())
    fit = replace(fit, keep=found.keep, trust=found.trust)
    free = fit.n_parameters / 3.0 / max(fit.n_trusted, 1.0)
    scale = np.empty(3)
    for row, sigma in enumerate(fit.seen.sigma):
        kept = fit.keep if row < 2 else _claimed(fit)
        size, trust = residuals[row, kept] / sigma[kept], fit.trust[kept]
        total = float(np.square(size, out=size) @ trust)
        spare = max(float(trust.sum()) * (1.0 - free), 0.0)
        scale[row] = np.sqrt((total + _CLAIM_COUNTS) / (spare + _CLAIM_COUNTS))
    fit = replace(fit, scale=np.maximum(scale, SMALLEST_SCALE))
    if state.whole is None:
        # Standard deviations are held once.
        state = replace(state, rigid=replace(state.rigid, seen=fit.seen))
    return replace(state, fit=fit), (changed, len(fit.seen))


def _claimed(fit: DatasetFit) -> Bools:
    """(n,) those that are kept and whose third coordinate tells the scale of all: phi where there
    are scans."""
    still = fit.instrument.still[fit.seen.experiment]
    return fit.keep if still.all() else np.asarray(fit.keep & ~still)


def _with_spread_found(fit: DatasetFit, delta_psi: Floats) -> DatasetFit:
    """The dataset with delta-psi weighted by its spread, whatever the scale of phi is."""
    still = fit.instrument.still[fit.seen.experiment]
    if not still.any():
        return fit
    spread = spread_of_delta_psi(fit.seen, delta_psi, fit.instrument.still)
    if not still.all():
        spread[still] /= fit.scale[2]
    sigma = np.concatenate([fit.seen.sigma[:2], spread[None]])
    return replace(fit, seen=replace(fit.seen, sigma=sigma))


def linearise(
    state: DatasetState, correction: Correction
) -> tuple[DatasetState, tuple[PanelEquations, SquaredPx]]:
    """What the dataset says of the panels at ``correction``."""
    fit = state.fit
    blocks, residuals = fit.blocks(correction)
    complement = fit.eliminate(blocks, correction)
    equations = complement.panel_equations()
    # The information has been told; hundreds of datasets cannot each keep it.
    complement = replace(complement, information=np.zeros((0, 0)))
    return replace(state, blocks=blocks, complement=complement), (
        equations,
        _squared_px(fit, residuals),
    )


def nuisance_shift(state: DatasetState, tangent: Floats) -> tuple[DatasetState, float]:
    """How far pose and crystals would go with a step of the panels (6 n,), in sigma."""
    assert state.complement is not None  # noqa: S101 - linearised before
    return state, state.complement.largest_shift(tangent)


def apply_step(state: DatasetState, tangent: Floats) -> tuple[DatasetState, None]:
    """Pose and crystals after that step."""
    assert state.complement is not None  # noqa: S101 - linearised before
    fit = state.fit.moved(state.complement.nuisance_step(tangent))
    return DatasetState(fit, state.rigid, whole=state.whole), None


def free_scan_varying(
    state: DatasetState, correction: Correction, options: SolveOptions
) -> tuple[DatasetState, bool]:
    """Scans parted where crystals slipped, and crystals free to change along their scans where
    that is asked for or worth it; whether either was."""
    fit = state.fit
    if fit.seen.basis is not None:  # from the start
        return state, False
    rigid = replace(state.rigid, keep=fit.keep)
    slips = slips_of(fit, correction, options)
    for slip in slips:
        fit, rigid = split(fit, slip), split(rigid, slip)
    how = variation_of(fit, correction, options)
    if how is not None:
        fit, rigid = how.of(fit), how.of(rigid)
    elif not slips:
        return state, False
    return DatasetState(fit, rigid), True


def finish(state: DatasetState) -> tuple[DatasetState, None]:
    """The rigid start with the reflections and weights of the solution."""
    fit = state.fit
    rigid = replace(state.rigid, seen=fit.seen, keep=fit.keep, trust=fit.trust, scale=fit.scale)
    return DatasetState(fit, rigid, state.blocks), None


def _squared_px(fit: DatasetFit, residuals: Floats) -> SquaredPx:
    pixel_mm = np.array([panel.pixel_mm for panel in fit.layout.panels])
    total = 0.0
    for axis in range(2):
        px = residuals[axis] / pixel_mm[fit.seen.panel, axis]
        total += float(np.square(px, out=px)[fit.keep].sum())
    return SquaredPx(total, int(fit.keep.sum()))
