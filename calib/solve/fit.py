"""One dataset while it is being refined: its observations, its state, its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.model.arrays import Bools, Floats
from calib.model.correction import Correction
from calib.model.dataset import Dataset
from calib.model.frames import RigidMotion
from calib.model.layout import Layout
from calib.solve.eliminate import PosePrior, Reduced, eliminated
from calib.solve.normal import Blocks, accumulated, residuals_at
from calib.solve.observations import Observations, usable_observations
from calib.solve.options import SolveOptions
from calib.solve.reject import huber_weights
from calib.solve.rotation import Stage
from calib.solve.state import Instrument, State, Step, starting_point

_CONVERGED_SIGMA = 0.02
"""A step is the last one when no whitened nuisance direction moves farther than this."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetFit:
    """One dataset at one point of its refinement."""

    dataset: Dataset
    layout: Layout
    seen: Observations
    instrument: Instrument
    state: State
    keep: Bools
    """(n,) reflections that are not rejected."""
    trust: Floats
    """(n,) 0 to 1, what their weights are multiplied by; below 1 for wild ones that were too many
    to reject."""
    scale: Floats
    """(3,) achieved over claimed standard deviation of x, y and phi."""
    free_beam: bool
    pose_prior: PosePrior | None

    @staticmethod
    def start(
        dataset: Dataset, layout: Layout, lab_from_root: RigidMotion, options: SolveOptions
    ) -> DatasetFit:
        """The dataset as its files have it, with every usable reflection."""
        instrument, state = starting_point(
            dataset,
            lab_from_root,
            hall_symbol=options.hall_symbol,
            pose_per_experiment=options.pose_per_experiment,
        )
        seen = usable_observations(dataset, ignore_flags=options.ignore_flags)
        return DatasetFit(
            dataset=dataset,
            layout=layout,
            seen=seen,
            instrument=instrument,
            state=state,
            keep=np.ones(len(seen), dtype=np.bool_),
            trust=np.ones(len(seen)),
            scale=np.ones(3),
            free_beam=options.free_beam,
            pose_prior=PosePrior() if options.pose_per_experiment else None,
        )

    def thinned(self, most: int) -> DatasetFit:
        """The same dataset with about so many of its reflections, none of them rejected."""
        seen = self.seen.thinned(most)
        keep, trust = np.ones(len(seen), dtype=np.bool_), np.ones(len(seen))
        return replace(self, seen=seen, keep=keep, trust=trust)

    @property
    def weights(self) -> Floats:
        """(3, n) inverse variances of the reflections that are kept."""
        share = self.keep * self.trust
        return np.asarray(share / (self.seen.sigma * self.scale[:, None]) ** 2)

    @property
    def n_trusted(self) -> float:
        """How many reflections those that are kept are worth."""
        return float(self.trust[self.keep].sum())

    @property
    def pixel_mm(self) -> Floats:
        """(2, n) the pixel size under each reflection."""
        sizes = np.array([panel.pixel_mm for panel in self.layout.panels])
        return np.ascontiguousarray(sizes[self.seen.panel].T)

    @property
    def n_parameters(self) -> int:
        """How many nuisance parameters the dataset has; those of other datasets of the same file,
        and of crystals without a usable reflection, do not count."""
        experiments = np.unique(self.seen.experiment)
        poses = 1 if self.pose_prior is None else len(experiments)
        crystals = np.unique(self.instrument.crystal[experiments])
        cells = sum(int(self.instrument.strains[c].shape[1]) for c in crystals)
        return 6 * poses + int(self.free_beam) + 3 * len(crystals) + cells

    def stage(self, correction: Correction) -> Stage:
        """The panels at ``correction``, seen through the poses of the moment."""
        frames = correction.frames(self.layout)
        return Stage.of(self.instrument, self.state, frames, self.layout.size_mm)

    def residuals(self, correction: Correction) -> Floats:
        """(3, n) observed minus calculated, in mm, mm and rad."""
        return residuals_at(self.stage(correction), self.seen)

    def blocks(
        self, correction: Correction, weights: Floats | None = None
    ) -> tuple[Blocks, Floats]:
        """Normal equations in blocks and the residuals, at ``correction``."""
        chosen = self.weights if weights is None else weights
        return accumulated(self.stage(correction), self.seen, chosen)

    def reduced(self, blocks: Blocks, correction: Correction) -> Reduced:
        """What these blocks say of the panels, crystals and pose eliminated."""
        return eliminated(
            blocks,
            self.stage(correction),
            about_mm=self._centre_mm(),
            free_beam=self.free_beam,
            pose_prior=self.pose_prior,
        )

    def moved(self, step: Step) -> DatasetFit:
        """The dataset after a step of its nuisance parameters."""
        spindle = np.einsum("ije,je->ie", self.instrument.setting, self.instrument.axis)
        state = self.state.moved(step, centre_lab_mm=self._centre_mm(), spindle=spindle)
        return replace(self, state=state)

    def refined_at(
        self, correction: Correction, *, robust: bool, iterations: int
    ) -> tuple[DatasetFit, Blocks]:
        """Pose and crystals refined with the panels standing still at ``correction``.

        The blocks are those of the last linearisation. With ``robust`` outliers pull no harder
        than two standard deviations.
        """
        fit, still = self, np.zeros(6 * len(self.layout))
        for _ in range(iterations):
            weights = huber_weights(fit.seen, fit.residuals(correction)) if robust else None
            blocks, _residuals = fit.blocks(correction, weights)
            reduced = fit.reduced(blocks, correction)
            if reduced.largest_shift(still) < _CONVERGED_SIGMA:
                break
            fit = fit.moved(reduced.nuisance_step(still))
        return fit, blocks

    def _centre_mm(self) -> Floats:
        """(3,) the middle of the detector in the laboratory, which poses turn about."""
        return self.state.pose().points(self.layout.centre_root_mm.mean(axis=0))
