"""Misindexed experiments: single crystals of a dataset whose indexing is wrong.

Once the panels are nearly refined, correctly indexed crystals have similar residuals. A misindexed
crystal has residuals of several pixels or, if the error lies along the beam, large residuals in
angle, whatever its orientation and cell. The medians of each experiment are compared with the lower
quartile of the other experiments of its dataset, or with those of all datasets if its own has few;
and with the median of the other datasets, if that is smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.experiment.experiment import ExperimentList
from calib.model.result.report import Misfit, Reason
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.scan_varying import crystals_step, may_vary
from calib.solve.dataset.slip import slips_of, split
from calib.solve.joint.dataset_state import DatasetState
from calib.solve.joint.indexing_residual import (
    LEAST_PX,
    MOST_LOST,
    TIMES_OTHERS,
    median_of_others,
    of_others,
)
from calib.solve.options import SolveOptions

FEWEST_TO_JUDGE = 10
"""An experiment with fewer reflections can fit them all and hardly constrains the panels."""
_LEAST_RAD = 5e-3
"""Smaller residuals in phi or delta-psi do not indicate misindexing."""
_ENOUGH_OTHERS = 3
"""Experiments of a dataset needed to compare it with itself."""
_SOUND_SHARE = 0.25
"""Quantile of the experiments of a dataset that serves as reference: most of a file may be
misindexed, but good fits do not occur by chance."""
_CHUNK = 1 << 20
_ITERATIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentResiduals:
    """Median residuals of the k experiments of a dataset that have enough reflections."""

    name: str
    sha256: tuple[str, ...]
    experiment: Ints
    """(k,) indices of the experiments in the file."""
    still: Bools
    """(k,) whether each is a still."""
    px: Floats
    """(k,) root of the summed squared medians in x and y; infinite if few can be predicted."""
    angle_rad: Floats
    """(k,) median residual of phi or delta-psi; infinite likewise."""
    least_rad: Floats
    """(k,) smaller residuals of phi or delta-psi are ignored: at least half an image of a scan."""
    n_lost: Ints
    """(k,) reflections that cannot be predicted."""
    n: Ints
    """(k,) reflections."""
    n_all: int
    """Reflections of the whole dataset, including experiments with too few."""


@dataclass(frozen=True, slots=True)
class MisindexedExperiment:
    """An experiment that appears to be misindexed."""

    experiment: int
    reason: Reason
    scatter: float | None
    """Median residual in px, or in rad if the reason is the angle; None if few can be predicted."""
    usual: float
    """Reference value from other experiments, in the same unit."""
    n_lost: int
    n: int

    def as_misfit(self, scatter: ExperimentResiduals, identifier: str) -> Misfit:
        """The entry in the report."""
        in_angle = self.reason is Reason.ANGLE
        return Misfit(
            name=scatter.name,
            sha256=scatter.sha256,
            scatter_px=None if in_angle else self.scatter,
            usual_px=None if in_angle else self.usual,
            n_lost=self.n_lost,
            n_reflections=self.n,
            experiment=self.experiment,
            identifier=identifier,
            reason=self.reason,
            scatter_mrad=1e3 * self.scatter if in_angle and self.scatter is not None else None,
            usual_mrad=1e3 * self.usual if in_angle else None,
        )


def covers_dataset(
    scatter: ExperimentResiduals, found: Sequence[tuple[MisindexedExperiment, str]]
) -> bool:
    """Whether all comparable experiments of a dataset, and most reflections, are misindexed."""
    n = sum(suspect.n for suspect, _ in found)
    return len(found) == len(scatter.experiment) and 2 * n > scatter.n_all


def experiment_residuals(
    state: DatasetState, correction: Correction
) -> tuple[DatasetState, ExperimentResiduals]:
    """Residuals of each experiment of the dataset with panels at ``correction``."""
    return state, _residuals_by_experiment(state.fit, correction)


def find_misindexed_experiments(
    all_residuals: Sequence[ExperimentResiduals], stored_px: Sequence[float]
) -> list[tuple[MisindexedExperiment, ...]]:
    """Suspected experiments of each dataset; ``stored_px`` are the residuals of stored datasets."""
    px = median_of_others(np.concatenate([*(one.px for one in all_residuals), stored_px]))
    everything = np.concatenate([one.angle_rad for one in all_residuals])
    still = np.concatenate([one.still for one in all_residuals])
    angle = _of_kind(everything, still, median_of_others, fewest=1)
    others_px = _of_other_datasets([one.px for one in all_residuals], stored_px)
    others_rad = [
        _of_other_datasets([one.angle_rad[one.still == kind] for one in all_residuals], ())
        for kind in (False, True)
    ]
    out, first = [], 0
    for place, one in enumerate(all_residuals):
        mine = slice(first, first + len(one.px))
        first = mine.stop
        own_px, own_rad = px[mine], angle[mine]
        if len(one.px) > _ENOUGH_OTHERS:
            own_px = _quarter_of_others(one.px)
            own_rad = _of_kind(one.angle_rad, one.still, _quarter_of_others, fewest=_ENOUGH_OTHERS)
        theirs_rad = np.where(one.still, others_rad[True][place], others_rad[False][place])
        out.append(
            _beyond(one, np.minimum(own_px, others_px[place]), np.minimum(own_rad, theirs_rad))
        )
    return out


def _quarter_of_others(values: Floats) -> Floats:
    return of_others(values, _SOUND_SHARE)


def _of_other_datasets(values: Sequence[Floats], known: Sequence[float]) -> Floats:
    """Median (d,) of the other datasets' medians and of ``known``, for each dataset; infinite if
    there are no others."""
    with_any = [place for place, own in enumerate(values) if len(own)]
    medians = np.array([*(float(np.median(values[place])) for place in with_any), *known])
    out = np.full(len(values), medians.min(initial=np.inf))
    if len(medians):
        out[with_any] = median_of_others(medians)[: len(with_any)]
    return out


def _of_kind(
    angle_rad: Floats, still: Bools, usual: Callable[[Floats], Floats], *, fewest: int
) -> Floats:
    """Reference values (k,), computed by ``usual`` for stills and for scans separately.

    Infinite for a kind with no more than ``fewest`` experiments.
    """
    out = np.full(len(angle_rad), np.inf)
    for kind in (still, ~still):
        if kind.sum() > fewest:
            out[kind] = usual(angle_rad[kind])
    return out


def _beyond(
    one: ExperimentResiduals, usual_px: Floats, usual_rad: Floats
) -> tuple[MisindexedExperiment, ...]:
    lost = (one.n_lost > MOST_LOST * one.n) & np.isfinite(usual_px)
    wide = one.px > np.maximum(TIMES_OTHERS * usual_px, LEAST_PX)
    turned = one.angle_rad > np.maximum(TIMES_OTHERS * usual_rad, one.least_rad)
    found = []
    for k in np.flatnonzero(lost | wide | turned).tolist():
        reason = Reason.SCATTER if wide[k] else Reason.ANGLE
        value, usual = (one.px, usual_px) if wide[k] else (one.angle_rad, usual_rad)
        if lost[k]:
            reason, value, usual = Reason.LOST, one.px, usual_px
        found.append(
            MisindexedExperiment(
                experiment=int(one.experiment[k]),
                reason=reason,
                scatter=float(value[k]) if np.isfinite(value[k]) else None,
                usual=float(usual[k]),
                n_lost=int(one.n_lost[k]),
                n=int(one.n[k]),
            )
        )
    return tuple(found)


def confirm_misindexed(
    state: DatasetState,
    correction: Correction,
    options: SolveOptions,
    found: tuple[MisindexedExperiment, ...],
) -> tuple[DatasetState, tuple[tuple[MisindexedExperiment, str], ...]]:
    """The suspected experiments that neither a slip nor a scan-varying crystal explains, with their
    identifiers."""
    entries = state.fit.dataset.experiments.experiments
    return state, tuple(
        (one, entries[one.experiment].identifier)
        for one in found
        if not _explained(state.fit, correction, options, one)
    )


def remove_experiments(
    state: DatasetState, experiments: tuple[int, ...]
) -> tuple[DatasetState, None]:
    """Remove the reflections of some experiments."""
    if not experiments:
        return state, None
    fit, rigid = (
        one.where(~np.isin(one.seen.experiment, experiments)) for one in (state.fit, state.rigid)
    )
    return replace(state, fit=fit, rigid=rigid, blocks=None, complement=None), None


def _explained(
    fit: DatasetFit, correction: Correction, options: SolveOptions, suspect: MisindexedExperiment
) -> bool:
    """Whether a slip or a scan-varying crystal explains the residuals of an experiment."""
    if fit.instrument.still[suspect.experiment]:
        return False
    in_angle = suspect.reason is Reason.ANGLE
    alone = fit.of_experiment(suspect.experiment)
    slips = slips_of(alone, correction, options)
    for slip in slips:
        alone = split(alone, slip)
    if slips:
        alone, _ = alone.refined_at(correction, robust=True, iterations=_ITERATIONS)
    if may_vary(alone, options):
        alone = alone.varying(options.crystal_interval_rad)
        for _ in range(_ITERATIONS):
            alone = alone.moved(crystals_step(alone, correction))
    elif not slips:
        return False
    found = _residuals_by_experiment(alone, correction)
    limit = max(TIMES_OTHERS * suspect.usual, _LEAST_RAD if in_angle else LEAST_PX)
    return bool(((found.angle_rad if in_angle else found.px) <= limit).all())


def _residuals_by_experiment(fit: DatasetFit, correction: Correction) -> ExperimentResiduals:
    fit = fit.of_admitted()
    residuals, seen = fit.residuals(correction), fit.seen
    pixel_mm = np.array([panel.pixel_mm for panel in fit.layout.panels])
    for axis in range(2):  # one axis at a time, to save memory
        residuals[axis] /= pixel_mm[seen.panel, axis]
    np.abs(residuals, out=residuals)
    # Reflections are sorted by experiment.
    start = np.flatnonzero(np.diff(seen.experiment, prepend=-1))
    bounds = np.append(start, len(seen))
    enough = np.diff(bounds) >= FEWEST_TO_JUDGE
    experiment = seen.experiment[start[enough]]
    lost = np.asarray(~np.isfinite(residuals).all(axis=0))
    n_lost = np.add.reduceat(lost, start, dtype=np.int64)[enough] if len(start) else start
    residuals[:, lost] = np.inf
    medians = np.stack([medians_of_runs(row, bounds)[enough] for row in residuals])
    return ExperimentResiduals(
        name=fit.dataset.name,
        sha256=tuple(sorted(fit.dataset.source.sha256)),
        experiment=experiment,
        still=fit.instrument.still[experiment],
        px=np.hypot(medians[0], medians[1]),
        angle_rad=medians[2],
        least_rad=np.array([_least_rad(fit.dataset.experiments, k) for k in experiment.tolist()]),
        n_lost=n_lost,
        n=np.diff(bounds)[enough],
        n_all=len(seen),
    )


def _least_rad(models: ExperimentList, experiment: int) -> float:
    scan = models.experiments[experiment].scan
    image_rad = 0.0 if scan is None else abs(models.scans[scan].width_rad)
    return max(_LEAST_RAD, 0.5 * image_rad)


def medians_of_runs(values: Floats, bounds: Ints) -> Floats:
    """Lower median (k,) of each run ``bounds[i]`` to ``bounds[i + 1]`` of ``values``."""
    count = np.diff(bounds)
    out = np.empty(len(count))
    by_size = np.argsort(count, kind="stable")
    # Runs of similar length together, as rows padded with infinity.
    steps = np.cumsum(count[by_size]) // _CHUNK
    edges = np.flatnonzero(np.diff(steps, prepend=-1, append=steps[-1:] + 1))
    for low, high in pairwise(edges.tolist()):
        mine = by_size[low:high]
        places = np.arange(int(count[mine].max()))
        rows = np.full((len(mine), len(places)), np.inf)
        inside = places < count[mine][:, None]
        rows[inside] = values[(bounds[mine][:, None] + places)[inside]]
        rows.sort(axis=1)
        out[mine] = rows[np.arange(len(mine)), (count[mine] - 1) // 2]
    return out
