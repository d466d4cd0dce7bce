"""What keeps crystals smooth that change along their scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calib.model.detector.correction import Correction
from calib.solve.algebra.bspline import Penalty, second_differences
from support.scenes import options, simulation, started

INTERVAL_RAD = np.radians(20.0)


def test_a_stiff_penalty_takes_the_bends_out_of_a_crystals_path_in_one_step() -> None:
    """Those that are there, not those of the step alone: what is left is a straight line."""
    layout, _, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=900)
    fit = started(scan.dataset, layout, options()).varying(INTERVAL_RAD)
    rng = np.random.default_rng(1)
    shape = fit.nuisance.drift.shape
    drift = 1e-4 * rng.normal(size=shape)
    drift[3:] = 0.0
    stiff = Penalty(turn_rad=1e-9, strain=1e-9)
    fit = replace(fit, nuisance=replace(fit.nuisance, drift=drift), penalty=stiff)
    none = Correction.none(len(layout))
    reduced = fit.eliminate(fit.blocks(none)[0], none)
    after = fit.moved(reduced.nuisance_step(np.zeros(6 * len(layout)))).nuisance.drift
    bends = second_differences(shape[1])
    before = np.abs(bends @ drift.T).max()
    assert before > 1e-4
    assert np.abs(bends @ after.T).max() < 1e-3 * before
