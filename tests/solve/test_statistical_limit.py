"""Errors against the Cramer-Rao bound of the same model and prior, truths drawn from the prior."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.prior import PanelPrior
from support.errors import deviations, errors_of
from support.limit import limit_of
from support.scenes import options, solution

AT_THE_LIMIT = {0.0: 1.05, 0.03: 1.15}
"""Share of outliers, and how much more than the bound of clean data the scatter may be."""
HONEST = 0.05
THREE_SD = 3.0
SMALL_CELL = (31.0, 31.0, 74.0)


@dataclass(frozen=True)
class Campaign:
    """Repeats pooled; ratios are root mean squares."""

    over_limit: float
    """Errors over the bound's standard deviations, parameter by parameter."""
    over_limit_whole: float
    """The same with all correlations."""
    over_claim: float
    """Errors over the standard deviations that the solver claims."""
    bias: float
    """The mean error's chi-square, in standard deviations from its expectation."""


@cache
def campaign(
    detector: str, distance_mm: float, n_reflections: int, outlier_share: float, repeats: int
) -> Campaign:
    layout, prior = known_layout(detector), PanelPrior()
    relative, claimed, errors, bounds, chi_square = [], [], [], [], 0.0
    for seed in range(repeats):
        rng = np.random.default_rng(9000 + seed)
        truth = random_correction(rng, layout)
        plan = ScanPlan(n_reflections, outlier_share=outlier_share, cell_angstrom=SMALL_CELL)
        pose = facing_pose(layout, distance_mm, beam_centre_mm=(2.0, -3.0))
        scan = simulated_scan(rng, layout, truth, pose, plan, "repeat")
        found = solution([scan.dataset], layout, options(prior=prior)).estimate
        limit = limit_of(layout, truth, [(scan, plan)], prior.sigma())
        error = limit.error(found.correction, truth)
        errors.append(error)
        bounds.append(limit)
        relative.append(limit.relative(error))
        chi_square += limit.chi_square(error)
        claimed.append(errors_of(layout, found, truth).relative)
    degrees = bounds[0].degrees
    mean = np.mean(errors, axis=0) * np.sqrt(repeats)
    return Campaign(
        over_limit=float(np.sqrt(np.mean(np.square(relative)))),
        over_limit_whole=float(np.sqrt(chi_square / degrees / repeats)),
        over_claim=float(np.sqrt(np.mean(np.square(claimed)))),
        bias=deviations(float(np.mean([b.chi_square(mean) for b in bounds])), degrees),
    )


def assert_at_the_limit(found: Campaign, outlier_share: float) -> None:
    assert found.over_limit <= AT_THE_LIMIT[outlier_share]
    assert found.over_limit_whole <= AT_THE_LIMIT[outlier_share]
    assert found.over_claim == pytest.approx(1.0, abs=HONEST)
    assert abs(found.bias) < THREE_SD


def test_errors_are_what_no_estimate_can_be_below() -> None:
    assert_at_the_limit(campaign("PILATUS 1M", 150.0, 4000, 0.03, 8), 0.03)


@pytest.mark.long
@pytest.mark.parametrize("outlier_share", AT_THE_LIMIT)
@pytest.mark.parametrize(
    ("detector", "distance_mm", "n_reflections"),
    [("PILATUS 1M", 150.0, 8000), ("PILATUS 6M", 400.0, 40_000)],
)
def test_thirty_repeats_are_at_the_statistical_limit(
    detector: str, distance_mm: float, n_reflections: int, outlier_share: float
) -> None:
    found = campaign(detector, distance_mm, n_reflections, outlier_share, 30)
    assert_at_the_limit(found, outlier_share)
