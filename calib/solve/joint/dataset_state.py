"""State of one dataset during the joint refinement, and the operations on it.

Each operation takes a ``DatasetState`` and returns the next one with an answer small enough to
send to another process (``calib.solve.parallel.executor``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.solve.dataset.batched import BatchedCrystals, BatchedSchurComplement
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.outliers import PanelLimits, classify_outliers
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.residuals import Residuals
from calib.solve.dataset.scan_varying import following, may_vary
from calib.solve.dataset.schur import SchurComplement
from calib.solve.dataset.slip import slips_of, split
from calib.solve.dataset.weights import with_variances_found, with_weights
from calib.solve.options import SolveOptions

_RIGID_ITERATIONS = 12
_ENOUGH_TO_START = 6_000
"""Reflections of a dataset that are used to find starting values of pose and crystals."""
_BATCHED_ITERATIONS, _FOLLOWING_ITERATIONS = 5, 2
"""Iterations for crystals eliminated in batches, for which a subset gives no starting values."""
_WORTH_THINNING = 1.5
"""A subset is used if it is smaller by at least this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetState:
    """State of one dataset between two steps of the joint refinement."""

    fit: DatasetFit
    """The current fit."""
    rigid: DatasetFit
    """The fit of pose and crystals with nominal panels."""
    blocks: Blocks | BatchedCrystals | None = None
    """Normal equations at the last linearisation point."""
    complement: SchurComplement | BatchedSchurComplement | None = None
    """The same with crystals and pose eliminated, to recover their steps."""
    held: Residuals | None = None
    """Residuals of held-out reflections, after validation."""
    whole: DatasetFit | None = None
    """The fit with all reflections, while ``fit`` holds a subset."""


@dataclass(frozen=True, slots=True)
class SquaredPx:
    """Sum of squared residuals in px over a number of reflections."""

    total: float
    count: int


def initialise(
    dataset: Dataset,
    layout: Layout,
    options: SolveOptions,
    lab_from_root: RigidMotion,
    swapped: bool = False,
) -> tuple[DatasetState, Ints]:
    """State from the models in the files, and the number of usable reflections per panel (n,).

    ``swapped`` exchanges the halves of stills (``folds_of``).
    """
    fit = DatasetFit.start(dataset, layout, lab_from_root, options)
    if swapped:
        fit = _with_halves_swapped(fit)
    # From here on only the observations are needed, not the reflection table.
    fit = following(replace(fit, dataset=dataset.without_reflections()), options)
    return DatasetState(fit, fit), np.bincount(fit.seen.panel[fit.keep], minlength=len(layout))


def _with_halves_swapped(fit: DatasetFit) -> DatasetFit:
    """The fit with the halves of its stills exchanged."""
    of_still = fit.instrument.still[fit.seen.experiment]
    fold = np.where(of_still, fit.seen.fold ^ 2, fit.seen.fold).astype(fit.seen.fold.dtype)
    seen, order = replace(fit.seen, fold=fold).varying(fit.seen.first, None)
    return replace(fit, seen=seen, keep=fit.keep[order], trust=fit.trust[order])


def count_on_panels(state: DatasetState) -> tuple[DatasetState, Ints]:
    """Number (n_panels,) of reflections on each panel, whether they are kept or not."""
    fit = state.fit if state.whole is None else state.whole
    return state, np.bincount(fit.seen.panel, minlength=len(fit.layout))


@dataclass(frozen=True, slots=True)
class RigidFit:
    """How well a dataset fits with pose and crystals refined and nominal panels."""

    name: str
    sha256: tuple[str, ...]
    squared: SquaredPx
    scatter_px: float
    """Root of the sum of squared median residuals in x and y; infinite if few can be predicted."""
    n_lost: int
    """Number of reflections that cannot be predicted."""
    n: int
    """Number of reflections."""


def fit_rigid(state: DatasetState) -> tuple[DatasetState, RigidFit]:
    """Refine pose and crystals with nominal panels, from a subset of the reflections."""
    fit = state.fit
    none = Correction.none(len(fit.layout))
    thin, iterations = fit.thinned(_ENOUGH_TO_START), _RIGID_ITERATIONS
    if fit.is_batched:
        thin, iterations = fit, _BATCHED_ITERATIONS
    moved, _ = thin.refined_at(none, robust=True, iterations=iterations)
    moved = moved.of_admitted()
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
    """Continue with about ``most`` reflections; False if the dataset has few more than that."""
    fit = state.fit
    thin = fit.thinned(most)
    if len(fit.seen) < _WORTH_THINNING * len(thin.seen):
        return state, False
    return replace(state, fit=thin, whole=fit), True


def restore_all(state: DatasetState, correction: Correction) -> tuple[DatasetState, None]:
    """Return to all reflections at the point found with a subset.

    Crystals without reflections in the subset are refined with panels at ``correction``.
    """
    if state.whole is None:
        return state, None
    whole = replace(state.whole, nuisance=state.fit.nuisance)
    if whole.is_batched:
        whole, _ = whole.refined_at(correction, robust=True, iterations=_FOLLOWING_ITERATIONS)
    return DatasetState(whole, state.rigid), None


def update_weights(
    state: DatasetState,
    correction: Correction,
    in_place: bool,
    limits: PanelLimits | None = None,
) -> tuple[DatasetState, tuple[int, int]]:
    """Classify outliers and scale weights from the current residuals.

    Returns the number of reflections whose classification changed, and the number of all.
    """
    fit = state.fit
    residuals = fit.residuals(correction)
    fit = with_variances_found(fit, residuals, in_place=in_place)
    found = classify_outliers(fit.seen, residuals, in_place=in_place, limits=limits)
    changed = int((found.keep != fit.keep).sum())
    fit = replace(fit, keep=found.keep, trust=found.trust, disputed=found.disputed)
    fit = with_weights(fit, residuals)
    if state.whole is None:
        # The arrays of standard deviations are shared, not kept twice.
        state = replace(state, rigid=replace(state.rigid, seen=fit.seen))
    return replace(state, fit=fit), (changed, len(fit.seen))


def linearise(
    state: DatasetState, correction: Correction, learn: bool
) -> tuple[DatasetState, tuple[PanelEquations, SquaredPx]]:
    """Panel equations of the dataset at ``correction``, and its squared residuals; with ``learn``
    the penalty of scan-varying crystals is learned anew."""
    fit = state.fit
    blocks, residuals = fit.blocks(correction)
    complement = fit.eliminate(blocks, correction, learn=learn)
    equations = complement.panel_equations()
    # The matrix has been returned; keeping it for hundreds of datasets would need too much memory.
    complement = replace(complement, information=np.zeros((0, 0)))
    if isinstance(complement, SchurComplement):
        fit = replace(fit, penalty=complement.penalty, n_of_splines=complement.n_from_data)
    return replace(state, fit=fit, blocks=blocks, complement=complement), (
        equations,
        _squared_px(fit, residuals),
    )


def nuisance_shift(state: DatasetState) -> tuple[DatasetState, float]:
    """Largest shift, in sigma, of pose and crystals."""
    assert state.complement is not None  # noqa: S101 - linearised before
    return state, state.complement.largest_shift()


def apply_step(state: DatasetState, tangent: Floats) -> tuple[DatasetState, None]:
    """Apply the steps of pose and crystals that belong to a step of the panels (6 n,)."""
    assert state.complement is not None  # noqa: S101 - linearised before
    fit = state.fit.moved(state.complement.nuisance_step(tangent))
    return DatasetState(fit, state.rigid, whole=state.whole), None


def free_scan_varying(
    state: DatasetState, correction: Correction, options: SolveOptions
) -> tuple[DatasetState, bool]:
    """Split scans where crystals slipped, and make crystals scan-varying where they may vary.

    Returns whether the model changed.
    """
    fit = state.fit
    if fit.seen.basis is not None:  # already scan-varying
        return state, False
    rigid = replace(state.rigid, keep=fit.keep)
    slips = slips_of(fit, correction, options, _weighted_alike(state))
    for slip in slips:
        fit, rigid = split(fit, slip), split(rigid, slip)
    if may_vary(fit, options):
        fit, rigid = (one.varying(options.crystal_interval_rad) for one in (fit, rigid))
    elif not slips:
        return state, False
    return DatasetState(fit, rigid), True


def finish(state: DatasetState) -> tuple[DatasetState, None]:
    """Give the fit with nominal panels the reflections and weights of the solution."""
    fit = state.fit
    rigid = replace(_weighted_alike(state), penalty=fit.penalty, n_of_splines=fit.n_of_splines)
    return DatasetState(fit, rigid, state.blocks), None


def _weighted_alike(state: DatasetState) -> DatasetFit:
    """The fit with nominal panels, with the reflections and weights of the one being refined."""
    fit = state.fit
    return replace(state.rigid, seen=fit.seen, keep=fit.keep, trust=fit.trust, scale=fit.scale)


def _squared_px(fit: DatasetFit, residuals: Floats) -> SquaredPx:
    pixel_mm = np.array([panel.pixel_mm for panel in fit.layout.panels])
    total = 0.0
    for axis in range(2):
        px = residuals[axis] / pixel_mm[fit.seen.panel, axis]
        total += float(np.square(px, out=px)[fit.keep].sum())
    return SquaredPx(total, int(fit.keep.sum()))
