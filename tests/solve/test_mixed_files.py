"""Files that hold stills as well as a scan: each keeps a scale of its own for the third coordinate.

The third coordinate is phi for scans and delta-psi for stills; one factor scales the standard
deviations of both.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import ExperimentList
from calib.model.experiment.pose import facing_pose
from calib.model.experiment.reflections import Reflections
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import random_correction
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.weights import spread_of_delta_psi
from calib.solve.joint.dataset_state import DatasetState, update_weights
from support.scenes import options, started

N_STILLS = 8
PHI_SCALE = 3.0
"""How much larger the errors of phi are than claimed."""


def joined(stills: Dataset, scan: Dataset) -> Dataset:
    """One file with the experiments of both, the stills first; both have the same detector."""
    one, other = stills.experiments, scan.experiments
    (entry,) = other.experiments
    entry = replace(
        entry, beam=len(one.beams), crystal=len(one.crystals), goniometer=0, scan=0, imageset=None
    )
    models = ExperimentList(
        experiments=(*one.experiments, entry),
        beams=(*one.beams, *other.beams),
        detectors=one.detectors,
        goniometers=other.goniometers,
        scans=other.scans,
        crystals=(*one.crystals, *other.crystals),
    )
    first, second = stills.reflections, scan.reflections
    n_stills = len(one.experiments)
    reflections = Reflections(
        experiment=np.concatenate([first.experiment, second.experiment + n_stills]),
        panel=np.concatenate([first.panel, second.panel]),
        miller_index=np.concatenate([first.miller_index, second.miller_index]),
        centroid_mm=np.concatenate([first.centroid_mm, second.centroid_mm]),
        variance_mm=np.concatenate([first.variance_mm, second.variance_mm]),
        flags=np.concatenate([first.flags, second.flags]),
    )
    return replace(stills, experiments=models, reflections=reflections)


@cache
def weighted() -> tuple[DatasetFit, Correction]:
    """Eight stills and a scan at the true parameters, with settled weights."""
    layout = known_layout("PILATUS 1M")
    rng = np.random.default_rng(1)
    truth = random_correction(rng, layout)
    pose = facing_pose(layout, 150.0)
    many = StillsPlan(
        n_crystals=N_STILLS,
        start_shift_mm=0.0,
        start_turn_rad=0.0,
        start_crystal_rad=0.0,
        start_cell_share=0.0,
    )
    stills = simulated_stills(rng, layout, truth, pose, many, "both").dataset
    one = ScanPlan(
        n_reflections=1500,
        start_shift_mm=0.0,
        start_turn_rad=0.0,
        start_crystal_rad=0.0,
        start_cell_share=0.0,
    )
    scan = simulated_scan(rng, layout, truth, pose, one, "scan").dataset
    claimed = scan.reflections.variance_mm / [1.0, 1.0, PHI_SCALE**2]
    scan = replace(scan, reflections=replace(scan.reflections, variance_mm=claimed))
    fit = started(joined(stills, scan), layout, options())
    state = DatasetState(fit, fit)
    for _ in range(3):
        state, _ = update_weights(state, truth, True)
    return state.fit, truth


def test_the_scale_of_the_third_coordinate_is_that_of_phi() -> None:
    fit, _ = weighted()
    assert fit.instrument.still.tolist() == [True] * N_STILLS + [False]
    assert fit.scale[2] == pytest.approx(PHI_SCALE, rel=0.05)
    assert fit.scale[:2] == pytest.approx((1.0, 1.0), abs=0.05)


def test_the_weights_of_delta_psi_do_not_depend_on_the_scale_of_phi() -> None:
    """The standard deviation of a still's delta-psi is the spread found for its crystal."""
    fit, truth = weighted()
    still = fit.instrument.still
    delta_psi = fit.residuals(truth)[2]
    spread = spread_of_delta_psi(fit.seen, delta_psi, still)
    mine = still[fit.seen.experiment]
    assert fit.seen.sigma[2, mine] * fit.scale[2] == pytest.approx(spread[mine], rel=0.01)
    assert spread[mine].mean() == pytest.approx(delta_psi[mine].std(), rel=0.1)


def test_the_scatter_of_stills_leaves_the_claimed_variances_of_phi_alone() -> None:
    fit, truth = weighted()
    scan = fit.seen.experiment == N_STILLS
    sigma = fit.seen.sigma[2, scan] * fit.scale[2]
    assert np.ptp(fit.seen.sigma[2, scan]) == 0.0
    kept = scan & fit.keep
    assert sigma[0] == pytest.approx(fit.residuals(truth)[2, kept].std(), rel=0.05)
