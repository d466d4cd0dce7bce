"""Claimed covariances against the scatter of many simulated measurements."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.prior import PanelPrior
from support.errors import Errors, deviations, errors_of
from support.scenes import options, solution

THREE_SD = 3.0
AS_THE_PRIOR_SAYS = Tolerance(shift_mm=0.1, normal_mm=0.05, tilt_rad=1.5e-3)


SMALL_CELL = (31.0, 31.0, 74.0)
"""In Angstrom: a tenth of the Miller indices to go through."""


@cache
def campaign(
    freedom: Freedom, outlier_share: float, repeats: int, n_reflections: int = 1500
) -> tuple[Errors, ...]:
    """New panels, crystals, noise and outliers each time, on three modules at 120 mm."""
    layout, out = known_layout("PILATUS 300K"), []
    prior = PanelPrior(
        AS_THE_PRIOR_SAYS.shift_mm, AS_THE_PRIOR_SAYS.normal_mm, AS_THE_PRIOR_SAYS.tilt_rad
    )
    for seed in range(repeats):
        rng = np.random.default_rng(7000 + seed)
        values = np.zeros((3, 6))
        drawn = random_correction(rng, layout, AS_THE_PRIOR_SAYS).values
        values[:, freedom.free] = drawn[:, freedom.free]
        truth = Correction(values)
        plan = ScanPlan(n_reflections, outlier_share=outlier_share, cell_angstrom=SMALL_CELL)
        pose = facing_pose(layout, 120.0, beam_centre_mm=(2.0, -3.0))
        scan = simulated_scan(rng, layout, truth, pose, plan, "repeat")
        found = solution([scan.dataset], layout, options(freedom, prior=prior))
        out.append(errors_of(layout, found.estimate, truth))
    return tuple(out)


CASES = [
    (Freedom.FULL, 0.0),
    (Freedom.FULL, 0.03),
    (Freedom.IN_PLANE, 0.0),
    (Freedom.IN_PLANE, 0.03),
]


SHORT = [(Freedom.FULL, 0.03), (Freedom.IN_PLANE, 0.0)]


def assert_honest(found: tuple[Errors, ...], slack: float) -> None:
    degrees = sum(one.degrees for one in found)
    chi_square = sum(one.chi_square for one in found)
    assert abs(deviations(chi_square, degrees)) < THREE_SD
    pooled = float(np.sqrt(np.mean([one.relative**2 for one in found])))
    assert pooled == pytest.approx(1.0, abs=slack)


@pytest.mark.parametrize(("freedom", "outlier_share"), SHORT)
def test_errors_scatter_as_the_covariance_claims(freedom: Freedom, outlier_share: float) -> None:
    """0.9 to 1.1: thirty repeats of 12 (or 6) independent errors know it to 4 to 5 per cent."""
    assert_honest(campaign(freedom, outlier_share, 30), slack=0.12)


@pytest.mark.long
@pytest.mark.parametrize(("freedom", "outlier_share"), CASES)
def test_errors_scatter_as_the_covariance_claims_to_the_per_cent(
    freedom: Freedom, outlier_share: float
) -> None:
    assert_honest(
        campaign(freedom, outlier_share, 600), slack=0.04 if outlier_share < 0.06 else 0.1
    )


@pytest.mark.parametrize(("freedom", "outlier_share"), SHORT)
def test_there_is_no_bias(freedom: Freedom, outlier_share: float) -> None:
    found = np.array([one.relative for one in campaign(freedom, outlier_share, 30)])
    mean = found.mean(axis=0) * np.sqrt(len(found))
    assert np.abs(mean).max() < 4.0
    assert np.sqrt((mean**2).mean()) < 1.6


def test_a_covariance_that_claims_too_much_is_found_out() -> None:
    """The test can fail: a tenth off the standard deviations is seen."""
    found = campaign(Freedom.FULL, 0.03, 30)
    smaller = tuple(
        Errors(one.relative / 0.85, one.chi_square / 0.85**2, one.degrees) for one in found
    )
    with pytest.raises(AssertionError):
        assert_honest(smaller, slack=0.12)


def test_sparse_panels_are_as_uncertain_as_they_say() -> None:
    """Panels with 0 to 30 reflections, their truth drawn from the prior."""
    layout = known_layout("PILATUS 1M")
    prior = PanelPrior(
        AS_THE_PRIOR_SAYS.shift_mm, AS_THE_PRIOR_SAYS.normal_mm, AS_THE_PRIOR_SAYS.tilt_rad
    )
    shadow = ((0, 0), (1, 1), (2, 4), (7, 12), (9, 30))
    found, sparse = [], []
    for seed in range(20):
        rng = np.random.default_rng(20_000 + seed)
        truth = random_correction(rng, layout, AS_THE_PRIOR_SAYS)
        plan = ScanPlan(2500, shadowed=shadow, cell_angstrom=SMALL_CELL)
        scan = simulated_scan(rng, layout, truth, facing_pose(layout, 150.0), plan, "sparse")
        estimate = solution([scan.dataset], layout, options(prior=prior)).estimate
        errors = errors_of(layout, estimate, truth)
        found.append(errors)
        sparse.append(errors.relative.reshape(10, 6)[[0, 1, 2, 7, 9]])
    assert_honest(tuple(found), slack=0.12)
    assert np.sqrt(np.mean(np.array(sparse) ** 2)) == pytest.approx(1.0, abs=0.12)


def test_panels_without_reflections_do_not_make_the_others_uncertain() -> None:
    """Six of sixty panels are lit: the parameters of the dark ones use up no data."""
    layout = known_layout("PILATUS 6M")
    prior = PanelPrior(
        AS_THE_PRIOR_SAYS.shift_mm, AS_THE_PRIOR_SAYS.normal_mm, AS_THE_PRIOR_SAYS.tilt_rad
    )
    lit = [26, 27, 28, 31, 32, 33]
    dark = tuple((panel, 0) for panel in range(60) if panel not in lit)
    plan = ScanPlan(300, shadowed=dark, cell_angstrom=SMALL_CELL)
    pose = facing_pose(layout, 200.0, beam_centre_mm=(5.0, 3.0))
    found = []
    for seed in range(8):
        rng = np.random.default_rng(30_000 + seed)
        truth = random_correction(rng, layout, AS_THE_PRIOR_SAYS)
        scan = simulated_scan(rng, layout, truth, pose, plan, "dark")
        done = solution([scan.dataset], layout, options(prior=prior))
        assert done.report.convergence.degrees_of_freedom > 0.95 * 900 - 20 - 36
        errors = errors_of(layout, done.estimate, truth).relative.reshape(60, 6)
        found.append(errors[lit])
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(1.0, abs=0.12)


def test_the_covariance_is_symmetric_and_has_the_gauge_as_its_only_null_space() -> None:
    layout = known_layout("PILATUS 300K")
    rng = np.random.default_rng(1)
    truth = random_correction(rng, layout)
    pose = facing_pose(layout, 120.0)
    scan = simulated_scan(rng, layout, truth, pose, ScanPlan(n_reflections=1500), "one")
    estimate = solution([scan.dataset], layout, options()).estimate
    assert np.array_equal(estimate.covariance, estimate.covariance.T)
    sigma = np.sqrt(np.diag(estimate.covariance))
    values = np.linalg.eigvalsh(estimate.covariance / np.outer(sigma, sigma))
    assert np.abs(values[:6]).max() < 1e-6
    assert values[6] > 1e-4
