"""What is reached on named simulations of a PILATUS 6M: weak data, and two distances at once.

Errors of single sets scatter from seed to seed by a tenth to a third, since they are those of a few
directions that are hardly determined; the first seed, not chosen among others, is held by default,
the root mean square over several seeds under ``long``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.model.result.corner_errors import CornerErrors
from calib.simulate.plans import (
    FAR,
    FAR_EVENLY,
    FAR_MM,
    NEAR,
    NEAR_EVENLY,
    NEAR_MM,
    SEED_SIZE_MM,
    WEAK,
)
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.options import SolveOptions
from calib.solve.prior import PanelPrior
from support.errors import errors_of
from support.scenes import solution

FIRST_SEED = 1
MANY = 500
SPARSELY = (50, 500)
WEAK_UM = CornerErrors(15.0, 31.0, 8.0)
"""Of panels with 50 to 500 reflections."""
TWO_DISTANCES_UM = CornerErrors(1.3, 3.1, 1.3)
TWO_DISTANCES_EVENLY_UM = CornerErrors(1.05, 1.75, 1.0)
"""The bound itself, from the covariance, is 1.00 and 1.59 um; 73 seeds gave 1.00 and 1.58. Of a few
seeds the second scatters by a twentieth: six of them gave 0.98 and 1.68."""
CLAIMED_WITHIN = 0.05
GAIN = 3.0
"""How much smaller than with the far distance alone errors are at least."""

Counted = Callable[[np.ndarray], np.ndarray]


def between(counts: np.ndarray) -> np.ndarray:
    return np.asarray((counts >= SPARSELY[0]) & (counts <= SPARSELY[1]))


def many(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts > MANY)


def errors(
    plans: tuple[tuple[float, ScanPlan], ...],
    used: tuple[int, ...],
    chosen: Counted,
    seed: int,
) -> CornerErrors:
    """Of the panels that ``chosen`` picks by their reflections, from the scans ``used``, each with
    its own pose and crystal."""
    return outcome(plans, used, chosen, seed)[0]


@cache
def outcome(
    plans: tuple[tuple[float, ScanPlan], ...],
    used: tuple[int, ...],
    chosen: Counted,
    seed: int,
) -> tuple[CornerErrors, float]:
    """The same, with the mean square of all errors over what is claimed for them."""
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 6M")
    truth = random_correction(rng, layout)
    scans = []
    for number, (distance, plan) in enumerate(plans):
        tilt = rng.normal(scale=2e-3, size=3)
        pose = facing_pose(
            layout, distance, beam_centre_mm=(1.5, -2.0), tilt_rad=(tilt[0], tilt[1], tilt[2])
        )
        scans.append(simulated_scan(rng, layout, truth, pose, plan, f"scan_{number}"))
    found = solution(
        [scans[k].dataset for k in used], layout, SolveOptions(Freedom.FULL, PanelPrior())
    )
    assert found.report.convergence.converged
    estimate = found.estimate
    corners = corner_errors(
        layout, estimate.correction, truth, scans[0].true_pose, chosen(estimate.n_reflections)
    )
    return corners, float(np.mean(errors_of(layout, estimate, truth).relative ** 2))


WEAK_ONE = ((SEED_SIZE_MM, WEAK),)
FAR_AND_NEAR = ((FAR_MM, FAR), (NEAR_MM, NEAR))
FAR_AND_NEAR_EVENLY = ((FAR_MM, FAR_EVENLY), (NEAR_MM, NEAR_EVENLY))


def assert_within(found: CornerErrors, limits: CornerErrors) -> None:
    assert found.in_plane_um <= limits.in_plane_um
    assert found.normal_um <= limits.normal_um
    assert found.seen_um <= limits.seen_um


def pooled(found: Sequence[CornerErrors]) -> CornerErrors:
    values = np.array([(e.in_plane_um, e.normal_um, e.seen_um) for e in found])
    return CornerErrors(*np.sqrt((values**2).mean(axis=0)).tolist())


def test_sparse_panels_of_weak_data_are_found() -> None:
    assert_within(errors(WEAK_ONE, (0,), between, FIRST_SEED), WEAK_UM)


def test_a_second_distance_separates_heights_from_shifts() -> None:
    both = errors(FAR_AND_NEAR, (0, 1), many, FIRST_SEED)
    alone = errors(FAR_AND_NEAR, (0,), many, FIRST_SEED)
    assert_within(both, TWO_DISTANCES_UM)
    assert both.in_plane_um < alone.in_plane_um / GAIN
    assert both.normal_um < alone.normal_um / GAIN


@pytest.mark.long
@pytest.mark.parametrize(
    ("plans", "chosen", "limits", "repeats"),
    [
        (WEAK_ONE, between, WEAK_UM, 12),
        (FAR_AND_NEAR, many, TWO_DISTANCES_UM, 6),
        (FAR_AND_NEAR_EVENLY, many, TWO_DISTANCES_EVENLY_UM, 6),
    ],
)
def test_seeds_together_are_within_the_limits(
    plans: tuple[tuple[float, ScanPlan], ...],
    chosen: Counted,
    limits: CornerErrors,
    repeats: int,
) -> None:
    used = tuple(range(len(plans)))
    found = [errors(plans, used, chosen, seed) for seed in range(1, repeats + 1)]
    assert_within(pooled(found), limits)


@pytest.mark.long
def test_errors_at_two_distances_are_as_large_as_claimed() -> None:
    squared = [outcome(FAR_AND_NEAR_EVENLY, (0, 1), many, seed)[1] for seed in range(1, 9)]
    assert np.sqrt(np.mean(squared)) == pytest.approx(1.0, abs=CLAIMED_WITHIN)
