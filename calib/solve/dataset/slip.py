"""Crystal slips: a sudden rotation during a scan, after which the crystal is refined separately.

For every angle phi_s of a scan consider a rotation d (3,) of the crystal at all later angles. Let N
and v be the normal equations of the orientation over all reflections of the scan, N_s and v_s those
at angles beyond phi_s. The sum of squares decreases by

    g(phi_s) = u^T M^-1 u,  M = N_s - N_s N^-1 N_s,  u = v_s - N_s N^-1 v,

which cumulative sums give for all angles at once. A smooth change can resemble a slip: held-out
reflections decide between the two, with refined panels and with nominal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.experiment import ExperimentList, Scan
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.observations import WITHOUT_HELD_OUT
from calib.solve.dataset.outliers import classify_outliers, robust_scale
from calib.solve.dataset.parameters import Slip
from calib.solve.dataset.prediction import PANEL_COLUMNS
from calib.solve.options import Crystals, SolveOptions

_FEWEST_BESIDE = 60
"""Smallest number of reflections on each side of a slip."""
_STRIKING = 0.05
"""Fraction of the scan's sum of squares that a slip must explain to be tested."""
_UNLIKELY = 60.0
"""Smallest decrease of the sum of squares; by chance 30 is reached once in ten thousand scans."""
_ROBUST = 4.0
"""Residuals beyond this many standard deviations are down-weighted."""
_WORTH = 0.95
"""A slip must reduce the held-out sum of squares to this fraction of that of a static and of a
smoothly varying crystal."""
_UNLIKELY_HELD_OUT = 30.0
"""Smallest decrease from that of a static crystal: a few held-out reflections of a narrow wedge are
not enough."""
_SAMPLE_SIZE = 10_000
"""Reflections of the subset that decides."""
_ITERATIONS = 4
_MOST_SLIPS = 3
"""Of one scan."""
_TRUSTED = 0.8
"""A scan with a smaller fraction of trusted reflections is classified by itself."""


@dataclass(frozen=True, slots=True)
class HeldOutLosses:
    """Weighted sums of squares of held-out reflections with three models of a crystal."""

    split: float
    """Two static crystals, before and after a slip."""
    static: float
    smooth: float
    """One crystal that varies smoothly."""

    @property
    def is_best(self) -> bool:
        """Whether the slip predicts clearly better than either other model."""
        best = min(self.static, self.smooth)
        return self.split <= min(_WORTH * best, self.static - _UNLIKELY_HELD_OUT)

    @property
    def is_worst(self) -> bool:
        """Whether the slip predicts worse than both other models."""
        return self.split > max(self.static, self.smooth) + _UNLIKELY_HELD_OUT


def is_kept(losses: Sequence[HeldOutLosses]) -> bool:
    """Whether a slip is kept: best with the panels in one of the places at which they were fixed,
    and with none of them the worst of the three models."""
    return any(one.is_best for one in losses) and not any(one.is_worst for one in losses)


def slips_of(
    fit: DatasetFit,
    correction: Correction,
    options: SolveOptions,
    nominal: DatasetFit | None = None,
) -> tuple[Slip, ...]:
    """Slips of the crystals of a dataset, in the order in which ``split`` applies them.

    Panels are fixed at ``correction`` and, if ``nominal`` is the fit of the same reflections with
    nominal panels, there as well: panels that were refined with a static crystal have absorbed a
    part of a slip, and nominal ones may be far from their places. Each scan is tested by itself,
    with a subset of its reflections. Empty with ``Crystals.STATIC``.
    """
    found: list[Slip] = []
    fits, corrections = [fit.of_admitted()], [correction]
    if nominal is not None:
        fits.append(nominal.of_admitted())
        corrections.append(Correction.none(len(fit.layout)))
    if options.crystals is Crystals.STATIC:
        return ()
    n = np.bincount(fits[0].seen.experiment, minlength=len(fit.instrument.still))
    for experiment in np.flatnonzero((n >= 2 * _FEWEST_BESIDE) & ~fit.instrument.still).tolist():
        own, parts = 0, [experiment]
        alone = [one.of_experiment(experiment) for one in fits]
        while own < _MOST_SLIPS:
            alone = [_by_itself(one, at) for one, at in zip(alone, corrections, strict=True)]
            slip = _kept_slip(alone, corrections)
            if slip is None:
                break
            parts.append(len(fits[0].dataset.experiments.experiments))
            found.append(slip)
            fits, own = [split(one, slip) for one in fits], own + 1
            alone = [one.where(np.isin(one.seen.experiment, parts)) for one in fits]
    return tuple(found)


def _kept_slip(fits: Sequence[DatasetFit], corrections: Sequence[Correction]) -> Slip | None:
    """The most striking slip with panels at any of ``corrections`` that is kept."""
    for fit, correction in zip(fits, corrections, strict=True):
        slip = most_striking(fit, correction)
        if slip is not None and is_kept(
            [_losses(one, slip, at) for one, at in zip(fits, corrections, strict=True)]
        ):
            return slip
    return None


def _by_itself(fit: DatasetFit, correction: Correction) -> DatasetFit:
    """One scan of a dataset, with outliers classified without the other scans: of a crystal that
    slipped far, most reflections look like outliers beside those of good scans."""
    fit = fit.thinned(_SAMPLE_SIZE)
    if fit.n_trusted > _TRUSTED * len(fit.seen):
        return fit
    everything = np.asarray(np.isfinite(fit.residuals(correction)).all(axis=0))
    fit = replace(fit, keep=everything, trust=np.ones(len(fit.seen)))
    fit, _ = fit.refined_at(correction, robust=False, iterations=_ITERATIONS)
    residuals = fit.residuals(correction)
    found = classify_outliers(fit.seen, residuals, in_place=True)
    scale = robust_scale(fit.seen, residuals, fit.smallest_sigma)
    return replace(fit, keep=found.keep, trust=found.trust, scale=scale)


def _losses(fit: DatasetFit, slip: Slip, correction: Correction) -> HeldOutLosses:
    """How well held-out reflections are predicted with the slip and without."""
    return HeldOutLosses(
        split=_tested(split(fit, slip), correction),
        static=_tested(fit, correction),
        smooth=_tested(fit.varying(), correction),
    )


def _tested(fit: DatasetFit, correction: Correction) -> float:
    """Weighted sum of squares of held-out reflections, from pose and crystals refined without them.

    The pose is refined as well, since it absorbs part of a slip if the crystal is not split.
    """
    still = np.zeros(PANEL_COLUMNS * len(fit.layout))
    for _ in range(_ITERATIONS):
        blocks, _residuals = fit.blocks(correction)
        working = fit.eliminate(blocks.of_folds(WITHOUT_HELD_OUT), correction)
        fit = fit.moved(working.nuisance_step(still))
    tested = fit.keep & fit.seen.held_out
    residuals = fit.residuals(correction)[:, tested]
    return float(np.nansum(residuals**2 * fit.weights[:, tested]))


def most_striking(fit: DatasetFit, correction: Correction) -> Slip | None:
    """The slip that explains most of the residuals of any scan; None if none explains a significant
    part of them."""
    predictor, weights = fit.predictor(correction), fit.weights
    found: tuple[float, Slip] | None = None
    for experiment in np.unique(fit.seen.experiment).tolist():
        (start, stop) = np.searchsorted(fit.seen.experiment, (experiment, experiment + 1))
        part = slice(int(start), int(stop))
        if part.stop - part.start < 2 * _FEWEST_BESIDE or fit.instrument.still[experiment]:
            continue
        jacobian = predictor.predict(fit.seen, part, derivatives=True).jacobian
        assert jacobian is not None  # noqa: S101 - requested
        tried = _steepest(experiment, fit.seen.observed[2, part], jacobian, weights[:, part])
        if tried and (found is None or tried[0] > found[0]):
            found = tried
    return found[1] if found else None


def _steepest(
    experiment: int, phi: Floats, jacobian: Floats, weights: Floats
) -> tuple[float, Slip] | None:
    """Decrease of the weighted sum of squares by the best slip of a scan, and this slip; None if it
    is insignificant."""
    order = np.argsort(phi, kind="stable")
    by_turn = jacobian[:, PANEL_COLUMNS : PANEL_COLUMNS + 3][:, :, order]
    residual, weight = jacobian[:, -1, order], weights[:, order]
    good = np.isfinite(residual).all(axis=0)
    weight = np.where(good, weight, 0.0)
    residual, by_turn = np.where(good, residual, 0.0), np.where(good, by_turn, 0.0)
    size = np.abs(residual) * np.sqrt(weight)
    weight = weight * np.minimum(1.0, _ROBUST / np.maximum(size, 1e-12))
    square = np.cumsum(np.einsum("kin,kjn,kn->nij", by_turn, by_turn, weight), axis=0)
    vector = np.cumsum(np.einsum("kin,kn,kn->ni", by_turn, residual, weight), axis=0)
    places = slice(_FEWEST_BESIDE, len(phi) - _FEWEST_BESIDE)
    whole, total = square[-1], vector[-1]
    behind, pull = whole - square[places], total - vector[places]
    try:
        share = behind @ np.linalg.inv(whole)
        u = pull - share @ total
        turn = np.linalg.solve(behind - share @ behind, u[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return None
    gain = (u * turn).sum(axis=1)
    best = int(gain.argmax())
    if gain[best] < max(_UNLIKELY, _STRIKING * float((residual**2 * weight).sum())):
        return None
    at = _FEWEST_BESIDE + best
    angle = 0.5 * (phi[order[at]] + phi[order[at + 1]])
    x, y, z = turn[best].tolist()
    return float(gain[best]), Slip(experiment, float(angle), (x, y, z))


def split(fit: DatasetFit, slip: Slip) -> DatasetFit:
    """The dataset with the reflections after a slip as a separate experiment, of a separate crystal
    that starts with the rotation found; crystals are static."""
    held, nuisance, models = fit.instrument, fit.nuisance, fit.dataset.experiments
    old, new = slip.experiment, len(models.experiments)
    behind = (fit.seen.experiment == old) & (fit.seen.observed[2] > slip.phi_rad)
    experiment = np.where(behind, new, fit.seen.experiment).astype(fit.seen.experiment.dtype)
    crystal, n_crystals = int(held.crystal[old]), len(held.strains)
    again: Ints = np.array([*range(new), old])
    instrument = replace(
        held,
        setting=held.setting[:, :, again],
        fixed=held.fixed[:, :, again],
        still=held.still[again],
        crystal=np.array([*held.crystal.tolist(), n_crystals]),
        pose=held.pose[again],
        strains=(*held.strains, held.strains[crystal]),
        forbidden=(*held.forbidden, held.forbidden[crystal]),
        coefficients=(*held.coefficients, 1),
        range_rad=(*held.range_rad, 0.0),
        scan_rad=held.scan_rad[:, again],
        shifting=held.shifting[again],
    )
    turn = rotation_from_vector(np.array(slip.turn_rad))
    nuisance = replace(
        nuisance,
        a_matrix=np.concatenate([nuisance.a_matrix, (turn @ nuisance.a_matrix[crystal])[None]]),
        turned=np.concatenate([nuisance.turned, (turn @ nuisance.turned[crystal])[None]]),
        strained=np.concatenate([nuisance.strained, nuisance.strained[crystal][None]]),
        s0=nuisance.s0[:, again],
        shift_mm=nuisance.shift_mm[again],
        drift=np.zeros((len(nuisance.drift), n_crystals + 1)),
    )
    if fit.pose_prior is not None:
        instrument = replace(instrument, pose=np.arange(new + 1))
        nuisance = replace(
            nuisance,
            rotation=nuisance.rotation[again],
            translation_mm=nuisance.translation_mm[again],
            deviation=nuisance.deviation[again],
        )
    parted = replace(fit.seen, experiment=experiment)
    first = instrument.crystal[experiment].astype(fit.seen.first.dtype)
    seen, order = parted.varying(first, None)
    return replace(
        fit,
        dataset=replace(fit.dataset, experiments=_parted(models, slip)),
        seen=seen,
        keep=fit.keep[order],
        trust=fit.trust[order],
        instrument=instrument,
        nuisance=nuisance,
        slips=(*fit.slips, slip),
    )


def _parted(models: ExperimentList, slip: Slip) -> ExperimentList:
    """The models with the scan cut at the image where the crystal slipped."""
    entry = models.experiments[slip.experiment]
    assert entry.scan is not None  # noqa: S101 - one with reflections is a scan
    scan = models.scans[entry.scan]
    first, last = scan.image_range
    done = round((slip.phi_rad - scan.start_rad) / scan.width_rad)
    cut = first + min(max(done, 1), scan.n_images - 1)
    early = replace(scan, image_range=(first, cut - 1))
    late = Scan(
        (cut, last), scan.start_rad + (cut - first) * scan.width_rad, scan.width_rad, scan.epoch
    )
    low, high = (early, late) if scan.width_rad > 0.0 else (late, early)
    n = len(models.scans)
    kept, other = replace(entry, scan=n), replace(entry, scan=n + 1)
    experiments = list(models.experiments)
    experiments[slip.experiment] = kept
    return replace(models, experiments=(*experiments, other), scans=(*models.scans, low, high))
