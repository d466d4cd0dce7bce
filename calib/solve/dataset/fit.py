"""One dataset during refinement: its observations, nuisance parameters and weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.solve.algebra.bspline import ORDER, Penalty, basis, located
from calib.solve.dataset.batched import BatchedCrystals, BatchedSchurComplement, is_batched
from calib.solve.dataset.normal_equations import Blocks, accumulate, residuals_at
from calib.solve.dataset.observations import Observations, usable_observations
from calib.solve.dataset.outliers import huber_weights
from calib.solve.dataset.parameters import (
    CRYSTAL_COLUMNS,
    Instrument,
    NuisanceParameters,
    Step,
    starting_point,
)
from calib.solve.dataset.prediction import PANEL_COLUMNS, Predictor
from calib.solve.dataset.schur import SchurComplement, eliminate
from calib.solve.dataset.whitening import BlocksWithPose, PosePrior, eliminate_crystal
from calib.solve.options import SolveOptions

_FEWEST_INTERVALS = 3
_FEWEST_IN_INTERVAL = 40
_CONVERGED_SIGMA = 0.02
"""Iteration ends when no whitened nuisance parameter moves by more than this."""
_USUAL_SHARE, _SMALLEST_SHARE = 0.2, 1e-3
"""Usual standard deviation of a centroid, of a pixel or an image, and the smallest, of the usual
one: pose and crystals can fit a few reflections exactly."""
_ENOUGH_TO_APPROACH = 6_000
"""Number of reflections of the subset from which pose and crystals are first refined."""


@dataclass(frozen=True, slots=True)
class Slip:
    """Where a crystal slipped, and how far."""

    experiment: int
    phi_rad: float
    turn_rad: tuple[float, float, float]
    """Rotation vector from the orientation before the slip to that after it, in the crystal's
    frame."""


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
    free_beam: bool
    pose_prior: PosePrior | None
    penalty: Penalty = field(default_factory=Penalty)
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
            free_beam=options.free_beam,
            pose_prior=PosePrior() if options.pose_per_experiment else None,
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

    def varying(self, interval_rad: float, *, from_rad: float = 0.0) -> DatasetFit:
        """The same fit with scan-varying crystals: splines with intervals of about ``interval_rad``
        in scans of ``from_rad`` or more.

        A crystal varies if it was measured in a single scan, of at least three intervals. Intervals
        are lengthened until they have 40 reflections on average.
        """
        models, held = self.dataset.experiments, self.instrument
        coefficients, intervals = [1] * len(held.coefficients), {}
        times_measured = np.bincount(held.crystal[self._used], minlength=len(coefficients))
        for experiment in np.flatnonzero(self._used & ~held.still).tolist():
            crystal = int(held.crystal[experiment])
            if times_measured[crystal] != 1:
                continue
            scan = models.scans[models.experiments[experiment].scan or 0]
            span = abs(scan.end_rad - scan.start_rad)
            n_kept = int((self.keep & (self.seen.experiment == experiment)).sum())
            count = min(round(span / interval_rad), n_kept // _FEWEST_IN_INTERVAL)
            if count >= _FEWEST_INTERVALS and span >= from_rad:
                intervals[experiment] = (scan, count)
                coefficients[crystal] = count + ORDER - 1
        if not intervals:
            return self
        offset = np.concatenate([[0], np.cumsum(coefficients)])
        first = offset[held.crystal[self.seen.experiment]]
        weights = np.zeros((ORDER, len(self.seen)))
        weights[0] = 1.0
        for experiment, (scan, count) in intervals.items():
            mine = self.seen.experiment == experiment
            low, high = sorted((scan.start_rad, scan.end_rad))
            place, share = located(self.seen.observed[2, mine], low, high, count)
            first[mine] += place
            weights[:, mine] = basis(share)
        seen, order = self.seen.varying(first, weights)
        return replace(
            self,
            seen=seen,
            keep=self.keep[order],
            trust=self.trust[order],
            instrument=replace(held, coefficients=tuple(coefficients)),
            nuisance=replace(self.nuisance, drift=np.zeros((CRYSTAL_COLUMNS, int(offset[-1])))),
        )

    def blocks_of_crystals(self, correction: Correction) -> Blocks:
        """Normal equations in blocks, of a fit returned by ``across_panels``."""
        return accumulate(self.predictor(correction), self.seen, self.weights)[0]

    def across_panels(self) -> DatasetFit:
        """The fit with reflections grouped across panels; its blocks serve for crystals only."""
        seen, order = self.seen.varying(self.seen.first, self.seen.basis, by_panel=False)
        return replace(self, seen=seen, keep=self.keep[order], trust=self.trust[order])

    def crystals_step(self, blocks: Blocks) -> Step:
        """The step of the crystals with panels, pose and beam fixed; ``blocks`` are those of
        ``across_panels``."""
        held, nothing = self.instrument, np.zeros((len(blocks.matrices), PANEL_COLUMNS, 6))
        wide, n = BlocksWithPose.of(blocks, nothing), len(self.layout)
        crystal = [np.zeros((count, CRYSTAL_COLUMNS)) for count in held.coefficients]
        for which in range(len(crystal)):
            one = eliminate_crystal(
                wide, which, held, self.nuisance, n, prior=None, penalty=self.penalty
            )
            own = one.basis @ (one.back @ one.reach[:, -1])
            crystal[which] = own.reshape(-1, CRYSTAL_COLUMNS)
        still = np.zeros_like(self.nuisance.deviation)
        return Step(np.zeros(6), still, tuple(crystal), 0.0)

    @property
    def _used(self) -> Bools:
        """(e,) whether an experiment has usable reflections."""
        counts = np.bincount(self.seen.experiment, minlength=len(self.instrument.crystal))
        return np.asarray(counts > 0)

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
        models, held, found = self.dataset.experiments, self.instrument, []
        for index, entry in enumerate(models.experiments):
            count = held.coefficients[int(held.crystal[index])]
            if count > 1 and entry.scan is not None:
                scan = models.scans[entry.scan]
                found.append(abs(scan.end_rad - scan.start_rad) / (count - ORDER + 1))
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
        cells: int = sum((3 + held.strains[c].shape[1]) * held.coefficients[c] for c in crystals)
        return 6 * poses + int(self.free_beam) + cells

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
            return accumulate(self.predictor(correction), self.seen, chosen)
        return self._equations(correction, chosen), self.residuals(correction)

    def _equations(self, correction: Correction, weights: Floats) -> Blocks | BatchedCrystals:
        predictor = self.predictor(correction)
        if not self.is_batched:
            return accumulate(predictor, self.seen, weights)[0]
        return BatchedCrystals(predictor, self.seen, weights, self._centre_mm())

    @property
    def is_batched(self) -> bool:
        """Whether crystals, being many with few reflections each, are eliminated in batches."""
        held = self.instrument
        return self.pose_prior is None and is_batched(self.seen, held.crystal, held.coefficients)

    def eliminate(
        self, blocks: Blocks | BatchedCrystals, correction: Correction, *, panels: bool = True
    ) -> SchurComplement | BatchedSchurComplement:
        """Normal equations of the panels with crystals and pose eliminated; without ``panels``,
        which costs less, they serve for steps with fixed panels only."""
        if isinstance(blocks, BatchedCrystals):
            return BatchedSchurComplement.of(blocks, free_beam=self.free_beam, panels=panels)
        return eliminate(
            blocks,
            self.predictor(correction),
            about_mm=self._centre_mm(),
            free_beam=self.free_beam,
            pose_prior=self.pose_prior,
            penalty=self.penalty,
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

        The blocks are those of the last linearisation. With ``robust``, outliers have no more
        influence than two standard deviations. Large datasets start with a subset of their
        reflections.
        """
        fit = self
        if len(self.seen) > 2 * _ENOUGH_TO_APPROACH and not self.is_batched:
            thin, _ = self.thinned(_ENOUGH_TO_APPROACH)._iterated(correction, robust, iterations)
            fit = replace(self, nuisance=thin.nuisance)
        return fit._iterated(correction, robust, iterations)

    def _iterated(
        self, correction: Correction, robust: bool, iterations: int
    ) -> tuple[DatasetFit, Blocks | BatchedCrystals]:
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
        near = complement.largest_shift(still) < _CONVERGED_SIGMA
        return blocks, None if near else complement.nuisance_step(still)

    def _centre_mm(self) -> Floats:
        """Centre (3,) of the detector in the laboratory in mm, about which poses rotate."""
        return self.nuisance.pose().points(self.layout.centre_root_mm.mean(axis=0))
