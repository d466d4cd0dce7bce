"""A general dataset near its solution: several experiments, crystals and symmetries."""

from __future__ import annotations

from functools import cache

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import Blocks
from calib.solve.dataset.parameters import CRYSTAL_COLUMNS, Step
from support.forward import measured
from support.scenes import general_scene, options, started


@cache
def general_fit(
    *, pose_per_experiment: bool = False, free_beam: bool = False, free_strain: bool = False
) -> DatasetFit:
    """A general dataset near its solution, weights as claimed."""
    scene = general_scene()
    dataset = measured(scene, np.random.default_rng(1))
    chosen = options(
        pose_per_experiment=pose_per_experiment, free_beam=free_beam, free_strain=free_strain
    )
    fit = started(dataset, scene.layout, chosen)
    if free_beam or free_strain:
        rng = np.random.default_rng(4)
        turns = [rng.normal(scale=1e-2, size=3) for _ in range(3)]
        bent = [own @ rng.normal(scale=1e-4, size=own.shape[1]) for own in fit.instrument.forbidden]
        moves = tuple(np.concatenate(both)[None] for both in zip(turns, bent, strict=True))
        nothing = np.zeros_like(fit.nuisance.deviation)
        fit = fit.moved(Step(np.zeros(6), nothing, moves, 1e-4 * free_beam))
    if pose_per_experiment:
        rng = np.random.default_rng(2)
        deviation = rng.normal(size=(4, 6)) * [0.05, 0.05, 0.05, 1e-4, 1e-4, 1e-4]
        still = (np.zeros((1, CRYSTAL_COLUMNS)),) * 3
        step = Step(np.zeros(6), deviation, still, 0.0)
        fit = fit.moved(step)
    return fit


def near_truth() -> Correction:
    truth = general_scene().correction.values
    rng = np.random.default_rng(3)
    return Correction(truth + rng.normal(size=truth.shape) * [0.01, 0.01, 0.01, 1e-4, 1e-4, 1e-4])


def blocks_of(fit: DatasetFit, correction: Correction) -> tuple[Blocks, Floats]:
    blocks, residuals = fit.blocks(correction)
    assert isinstance(blocks, Blocks)
    return blocks, residuals
