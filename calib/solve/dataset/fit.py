"""One dataset during refinement: its observations, nuisance parameters and weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.solve.algebra.bspline import LINEAR, ORDER, Penalty, basis, linear_basis, located
from calib.solve.algebra.priors import BeamPrior, PosePrior
from calib.solve.dataset.batched import BatchedCrystals, BatchedSchurComplement, is_batched
from calib.solve.dataset.normal_equations import Blocks, accumulate, residuals_at
from calib.solve.dataset.observations import Observations, usable_observations
from calib.solve.dataset.outliers import huber_weights
from calib.solve.dataset.parameters import (
    CRYSTAL_COLUMNS,
    Instrument,
    NuisanceParameters,
    Slip,
    Step,
    starting_point,
)
from calib.solve.dataset.prediction import PANEL_COLUMNS, Predictor
from calib.solve.dataset.schur import SchurComplement, eliminate
from calib.solve.options import SolveOptions

LONGEST_INTERVAL_RAD = np.radians(15.0)
_FEWEST_INTERVALS = 3
_FEWEST_IN_INTERVAL = 40
_MOST_GROUPS = 8_000
"""Of reflections of one experiment, panel, fold and interval: each costs 15 us in every pass."""
_LONGEST_STRETCH = 64.0
_CONVERGED_SIGMA = 0.02
"""Iteration ends when no whitened nuisance parameter moves by more than this."""
_USUAL_SHARE, _SMALLEST_SHARE = 0.2, 1e-3
"""Usual standard deviation of a centroid, of a pixel or an image, and the smallest, of the usual
one: pose and crystals can fit a few reflections exactly."""
_ENOUGH_TO_APPROACH = 6_000
"""Number of reflections of the subset from which pose and crystals are first refined."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetFit:
    """One dataset at one point of its refinement."""

    dataset: Dataset
    layout: Layout
    seen: Observations
    instrument: Instrument
    nuisance: NuisanceParameters
    keep: Bools
    """(n,) reflections that are not rejected."""
    trust: Floats
    """(n,) factors on their weights, 0 to 1; below 1 for outliers beyond the limits on the number
    of rejections."""
    scale: Floats
    """(3,) observed over stated standard deviation of x, y and phi."""
    beam_prior: BeamPrior | None
    """None: the beam is held."""
    pose_prior: PosePrior | None
    penalty: Penalty = field(default_factory=Penalty)
    n_of_splines: float | None = None
    """How many parameters of crystals the data determine; None: all, as long as none vary."""
    free_shift: bool = True
    """Whether spots may shift with time, in scans whose crystals vary by splines."""
    slips: tuple[Slip, ...] = ()
    """Where scans were split because their crystals had slipped."""
    disputed: tuple[int, ...] = ()
    """Panels that are not measured because too few of their reflections agree."""

    @staticmethod
    def start(
        dataset: Dataset, layout: Layout, lab_from_root: RigidMotion, options: SolveOptions
    ) -> DatasetFit:
        """The dataset as in its files, with all usable reflections."""
        instrument, nuisance = starting_point(
            dataset,
            lab_from_root,
            hall_symbol=options.hall_symbol,
            pose_per_experiment=options.pose_per_experiment,
            free_strain=options.free_strain,
        )
        seen = usable_observations(
            dataset, ignore_flags=options.ignore_flags, obey_flags=options.obey_flags
        )
        keep = np.ones(len(seen), dtype=np.bool_) if seen.flagged is None else ~seen.flagged
        return DatasetFit(
            dataset=dataset,
            layout=layout,
            seen=replace(seen, first=instrument.crystal[seen.experiment].astype(np.int32)),
            instrument=instrument,
            nuisance=nuisance,
            keep=keep,
            trust=keep.astype(np.float64),
            scale=np.ones(3),
            beam_prior=BeamPrior() if options.free_beam and not instrument.still.all() else None,
            pose_prior=PosePrior() if options.pose_per_experiment else None,
            free_shift=options.free_shift,
        )

    def thinned(self, most: int) -> DatasetFit:
        """The fit with about ``most`` reflections; whole crystals if these are eliminated in
        batches."""
        seen, chosen = self.seen.thinned(most, whole_crystals=self.is_batched)
        return replace(self, seen=seen, keep=self.keep[chosen], trust=self.trust[chosen])

    def where(self, chosen: Bools) -> DatasetFit:
        """The same fit restricted to the reflections of a mask (n,)."""
        return replace(
            self, seen=self.seen.where(chosen), keep=self.keep[chosen], trust=self.trust[chosen]
        )

    @property
    def admitted(self) -> Bools:
        """(n,) reflections that flags in the file do not exclude: those without flags, and those
        that are kept in spite of them."""
        flagged = self.seen.flagged
        return np.ones(len(self.seen), dtype=np.bool_) if flagged is None else ~flagged | self.keep

    def of_admitted(self) -> DatasetFit:
        """The same fit restricted to the reflections that are ``admitted``."""
        return self if self.seen.flagged is None else self.where(self.admitted)

    def of_experiment(self, experiment: int) -> DatasetFit:
        """The same fit restricted to the reflections of one experiment."""
        of = self.seen.experiment
        low, high = np.searchsorted(of, np.array((experiment, experiment + 1), of.dtype)).tolist()
        seen, keep, trust = self.seen.run(low, high), self.keep[low:high], self.trust[low:high]
        return replace(self, seen=seen, keep=keep, trust=trust)

    def varying(self, interval_rad: float | None = None) -> DatasetFit:
        """The same fit with scan-varying crystals: splines with intervals of about
        ``interval_rad``, by default the smaller of 15 degrees and a third of the scan.

        A crystal varies if it was measured in a single scan. Intervals are lengthened until they
        have 40 reflections on average and there are few enough groups of reflections; if there
        never are, crystals change linearly.
        """
        stretch = 1.0
        while stretch <= _LONGEST_STRETCH:
            counts = self._intervals(interval_rad, stretch)
            if not counts:
                return self
            found = self._with_splines(counts, linear=False)
            if len(found.seen.group_start) <= _MOST_GROUPS:
                return found
            if max(counts.values()) == 1:
                break
            stretch *= 2.0
        return self._with_splines(dict.fromkeys(counts, 1), linear=True)

    def _intervals(self, interval_rad: float | None, stretch: float) -> dict[int, int]:
        """The number of intervals of each experiment whose crystal may vary, with intervals
        ``stretch`` times longer than asked for."""
        models, held, counts = self.dataset.experiments, self.instrument, {}
        measured = np.bincount(held.crystal[self._used], minlength=len(held.coefficients))
        n_kept = np.bincount(self.seen.experiment[self.keep], minlength=len(held.crystal)).tolist()
        for experiment in np.flatnonzero(self._used & ~held.still).tolist():
            if measured[held.crystal[experiment]] != 1:
                continue
            span = models.scans[models.experiments[experiment].scan or 0].range_rad
            length = interval_rad or min(LONGEST_INTERVAL_RAD, span / _FEWEST_INTERVALS)
            most = n_kept[experiment] // _FEWEST_IN_INTERVAL
            counts[experiment] = max(1, min(round(span / (length * stretch)), most))
        return counts

    def _with_splines(self, counts: dict[int, int], *, linear: bool) -> DatasetFit:
        """The same fit with splines of these numbers of intervals, or straight lines."""
        models, held = self.dataset.experiments, self.instrument
        order = LINEAR if linear else ORDER
        coefficients, ranges = [1] * len(held.coefficients), list(held.range_rad)
        scans = {one: models.scans[models.experiments[one].scan or 0] for one in counts}
        for experiment, count in counts.items():
            coefficients[held.crystal[experiment]] = count + order - 1
            ranges[held.crystal[experiment]] = scans[experiment].range_rad
        offset = np.concatenate([[0], np.cumsum(coefficients)])
        first = offset[held.crystal[self.seen.experiment]]
        weights = np.zeros((order, len(self.seen)))
        weights[0] = 1.0
        bounds = np.searchsorted(self.seen.experiment, np.arange(len(held.crystal) + 1))
        for experiment, count in counts.items():
            mine = slice(int(bounds[experiment]), int(bounds[experiment + 1]))
            low, high = sorted((scans[experiment].start_rad, scans[experiment].end_rad))
            place, share = located(self.seen.observed[2, mine], low, high, count)
            first[mine] += place
            weights[:, mine] = linear_basis(share) if linear else basis(share)
        seen, order_of = self.seen.varying(first, weights)
        shifting = held.shifting.copy()
        shifting[list(counts)] = self.free_shift and not linear
        return replace(
            self,
            seen=seen,
            keep=self.keep[order_of],
            trust=self.trust[order_of],
            instrument=replace(
                held,
                coefficients=tuple(coefficients),
                order=order,
                range_rad=tuple(ranges),
                shifting=shifting,
            ),
            nuisance=replace(self.nuisance, drift=np.zeros((CRYSTAL_COLUMNS, int(offset[-1])))),
        )

    @property
    def _used(self) -> Bools:
        """(e,) whether an experiment has usable reflections."""
        counts = np.bincount(self.seen.experiment, minlength=len(self.instrument.crystal))
        return np.asarray(counts > 0)

    @property
    def experiments_used(self) -> list[int]:
        """Indices of the experiments with usable reflections; only these have a crystal."""
        return [int(experiment) for experiment in np.flatnonzero(self._used)]

    @property
    def weights(self) -> Floats:
        """(3, n) inverse variances of the reflections that are kept."""
        out: Floats = self.seen.sigma * self.scale[:, None]
        np.square(out, out=out)
        return np.divide(self.keep * self.trust, out, out=out)

    @property
    def n_trusted(self) -> float:
        """Effective number of reflections: the sum of the trust of those that are kept."""
        return float(self.trust[self.keep].sum())

    @property
    def usual_sigma(self) -> Floats:
        """Usual standard deviations (3,) of x and y in mm and of phi in rad: a fifth of a pixel and
        of an image; of stills, that of delta-psi. They do not depend on the stated variances."""
        sizes = np.array([panel.pixel_mm for panel in self.layout.panels])
        models, held = self.dataset.experiments, self.instrument
        used = np.flatnonzero(self._used & ~held.still).tolist()
        widths = [abs(models.scans[models.experiments[k].scan or 0].width_rad) for k in used]
        angle = _USUAL_SHARE * float(np.median(widths)) if widths else 0.0
        if not angle > 0.0:
            angle = float(np.median(self.seen.sigma[2]))
        return np.array([*(_USUAL_SHARE * np.median(sizes, axis=0)), angle])

    @property
    def smallest_sigma(self) -> Floats:
        """Smallest standard deviations (3,) that are believed, in mm, mm and rad."""
        return np.asarray(_SMALLEST_SHARE * self.usual_sigma)

    @property
    def pixel_mm(self) -> Floats:
        """Pixel size (2, n) in mm at each reflection."""
        sizes = np.array([panel.pixel_mm for panel in self.layout.panels])
        return np.ascontiguousarray(sizes[self.seen.panel].T)

    @property
    def interval_deg(self) -> float | None:
        """Shortest interval of any crystal's spline in degrees; None if all crystals are static."""
        if self.seen.basis is None:
            return None
        models, held, found = self.dataset.experiments, self.instrument, []
        for experiment in self.experiments_used:
            count, entry = (
                held.coefficients[held.crystal[experiment]],
                models.experiments[experiment],
            )
            if count > 1 and entry.scan is not None:
                n_intervals = count - len(self.seen.basis) + 1
                found.append(models.scans[entry.scan].range_rad / n_intervals)
        return float(np.degrees(min(found))) if found else None

    @property
    def n_crystals(self) -> int:
        """Number of crystals with usable reflections."""
        return len(np.unique(self.instrument.crystal[self._used]))

    @property
    def n_parameters(self) -> int:
        """Number of nuisance parameters of the dataset, without those of other datasets in the same
        file and of crystals without usable reflections."""
        experiments, held = np.unique(self.seen.experiment), self.instrument
        poses = 1 if self.pose_prior is None else len(experiments)
        crystals = np.unique(held.crystal[experiments]).tolist()
        strains = [own.shape[1] for own in held.strains]
        if not self.is_batched:
            strains = [n + own.shape[1] for n, own in zip(strains, held.forbidden, strict=True)]
        cells: int = sum((3 + strains[c]) * held.coefficients[c] for c in crystals)
        if self.seen.basis is not None and self.n_of_splines is not None:
            cells = round(self.n_of_splines)
        return 6 * poses + int(self.beam_prior is not None) + cells

    def predictor(self, correction: Correction) -> Predictor:
        """Predictor for panels at ``correction`` and the current nuisance parameters."""
        frames = correction.frames(self.layout)
        return Predictor.of(self.instrument, self.nuisance, frames, self.layout.size_mm)

    def residuals(self, correction: Correction) -> Floats:
        """Residuals (3, n), observed minus calculated, in mm, mm and rad."""
        return residuals_at(self.predictor(correction), self.seen)

    def blocks(
        self, correction: Correction, weights: Floats | None = None
    ) -> tuple[Blocks | BatchedCrystals, Floats]:
        """Normal equations at ``correction``, in blocks or to be summed in batches, and the
        residuals."""
        chosen = self.weights if weights is None else weights
        if not self.is_batched:
            return accumulate(self.predictor(correction), self.seen, chosen, self._centre_mm())
        return self._equations(correction, chosen), self.residuals(correction)

    def _equations(self, correction: Correction, weights: Floats) -> Blocks | BatchedCrystals:
        predictor = self.predictor(correction)
        if not self.is_batched:
            return accumulate(predictor, self.seen, weights, self._centre_mm())[0]
        return BatchedCrystals(predictor, self.seen, weights, self._centre_mm())

    @property
    def is_batched(self) -> bool:
        """Whether crystals, being many with few reflections each, are eliminated in batches."""
        held = self.instrument
        return self.pose_prior is None and is_batched(self.seen, held.crystal, held.coefficients)

    def eliminate(
        self,
        blocks: Blocks | BatchedCrystals,
        correction: Correction,
        *,
        panels: bool = True,
        learn: bool = False,
    ) -> SchurComplement | BatchedSchurComplement:
        """Normal equations of the panels with crystals and pose eliminated; without ``panels``,
        which costs less, they serve for steps with fixed panels only. With ``learn`` the penalty of
        the crystals is learned from the blocks."""
        if isinstance(blocks, BatchedCrystals):
            return BatchedSchurComplement.of(blocks, beam_prior=self.beam_prior, panels=panels)
        return eliminate(
            blocks,
            self.predictor(correction),
            beam_prior=self.beam_prior,
            pose_prior=self.pose_prior,
            penalty=self.penalty,
            learn=learn,
        )

    def moved(self, step: Step) -> DatasetFit:
        """The dataset after a step of its nuisance parameters."""
        spindle = self.instrument.setting[:, 2]
        nuisance = self.nuisance.moved(step, centre_lab_mm=self._centre_mm(), spindle=spindle)
        return replace(self, nuisance=nuisance)

    def refined_at(
        self, correction: Correction, *, robust: bool, iterations: int
    ) -> tuple[DatasetFit, Blocks | BatchedCrystals]:
        """The fit with pose and crystals refined, panels fixed at ``correction``.

        The blocks are those of the last linearisation. With ``robust``, outliers have at most the
        influence of two standard deviations. Large datasets start with a subset.
        """
        fit = self
        if len(self.seen) > 2 * _ENOUGH_TO_APPROACH and not self.is_batched:
            thin, _ = self.thinned(_ENOUGH_TO_APPROACH).iterated(correction, iterations, robust)
            fit = replace(self, nuisance=thin.nuisance)
        return fit.iterated(correction, iterations, robust)

    def iterated(
        self, correction: Correction, iterations: int, robust: bool = False
    ) -> tuple[DatasetFit, Blocks | BatchedCrystals]:
        """``refined_at`` without a subset, for a fit that is near the solution."""
        fit = self
        for left in range(iterations, 0, -1):
            blocks, step = fit._step_at(correction, robust)
            if step is None:
                break
            fit = fit.moved(step)
            if left > 1:
                del blocks  # frees them before the new ones are made
        return fit, blocks

    def _step_at(
        self, correction: Correction, robust: bool
    ) -> tuple[Blocks | BatchedCrystals, Step | None]:
        """The equations at ``correction``, and the step of pose and crystals with fixed panels;
        None if it is negligible."""
        still = np.zeros(PANEL_COLUMNS * len(self.layout))
        residuals = self.residuals(correction) if robust else None
        if residuals is not None and self.seen.flagged is not None:
            residuals[:, ~self.admitted] = np.nan
        weights = self.weights
        if residuals is not None:
            weights = huber_weights(self.seen, residuals, self.smallest_sigma)
        del residuals
        blocks = self._equations(correction, weights)
        complement = self.eliminate(blocks, correction, panels=False)
        near = complement.largest_shift() < _CONVERGED_SIGMA
        return blocks, None if near else complement.nuisance_step(still)

    def _centre_mm(self) -> Floats:
        """Centre (3,) of the detector in the laboratory in mm, about which poses rotate."""
        return self.nuisance.pose().points(self.layout.centre_root_mm.mean(axis=0))
