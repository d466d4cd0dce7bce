"""The seed-size set: 190 000 reflections of one full turn on a PILATUS 6M, panels anywhere.

The set of the first seed, not chosen among others, its detector tilted by some 2 mrad as real ones
are. Over all 60 panels the errors are those of the four shadowed corner panels, with 40 to 140
reflections, and scatter from seed to seed: twelve seeds gave 5.2 to 14.3 micrometres in the plane
(median 9.1), 12.6 to 25.3 along the normal (18.2) and 2.4 to 4.0 as seen from the sample; the test
under ``long`` holds the medians.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, Freedom, PanelStatus
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout
from calib.model.experiment.pose import facing_pose
from calib.model.result.corner_errors import CornerErrors
from calib.simulate.plans import SEED_SIZE, SEED_SIZE_MM
from calib.simulate.scan import SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.options import SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.errors import deviations, errors_of
from support.scenes import solution

FIRST_SEED = 1
MANY = 500
"""Reflections from which on a panel counts among the well-measured ones."""
LIMITS_WELL_MEASURED_UM = CornerErrors(7.0, 16.0, 2.6)
LIMITS_ALL_UM = CornerErrors(10.0, 19.0, 5.0)
THREE_SD = 3.0


@dataclass(frozen=True, eq=False)
class Case:
    """A simulated set, its truth, and what was found."""

    layout: Layout
    truth: Correction
    scan: SimulatedScan
    found: Solution

    def errors(self, *, well_measured: bool) -> CornerErrors:
        """Of all panels, or of those with more than 500 reflections."""
        estimate = self.found.estimate
        chosen = estimate.n_reflections > MANY if well_measured else None
        return corner_errors(
            self.layout, estimate.correction, self.truth, self.scan.true_pose, chosen
        )


def seed_size(seed: int) -> Case:
    """The set of one seed, solved with the defaults of full freedom."""
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 6M")
    truth = random_correction(rng, layout)
    tilt = rng.normal(scale=2e-3, size=3)
    pose = facing_pose(
        layout,
        SEED_SIZE_MM,
        beam_centre_mm=(1.5, -2.0),
        tilt_rad=(tilt[0], tilt[1], tilt[2]),
    )
    scan = simulated_scan(rng, layout, truth, pose, SEED_SIZE, f"seed_{seed}")
    found = solution([scan.dataset], layout, SolveOptions(Freedom.FULL, PanelPrior()))
    return Case(layout, truth, scan, found)


@cache
def first() -> Case:
    return seed_size(FIRST_SEED)


def assert_within(errors: CornerErrors, limits: CornerErrors) -> None:
    assert errors.in_plane_um <= limits.in_plane_um
    assert errors.normal_um <= limits.normal_um
    assert errors.seen_um <= limits.seen_um


def test_the_set_has_the_documented_size() -> None:
    case = first()
    assert len(case.scan.dataset.reflections) == 190_000
    assert case.scan.outlier.mean() == pytest.approx(0.03, abs=0.002)
    corners = [case.found.estimate.n_reflections[panel] for panel in (0, 4, 55, 59)]
    assert min(corners) < 50
    assert max(corners) < 150
    off = case.truth.values.std(axis=0)
    assert off == pytest.approx([0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3], rel=0.3)


def test_it_converges_from_panels_as_drawn() -> None:
    convergence = first().found.report.convergence
    assert convergence.converged
    assert convergence.iterations <= 8
    assert first().found.acceptance.accepted
    assert first().found.report.gauge == 6


def test_well_measured_panels_are_found_to_a_few_micrometres() -> None:
    assert (first().found.estimate.n_reflections > MANY).sum() >= 54
    assert_within(first().errors(well_measured=True), LIMITS_WELL_MEASURED_UM)


def test_all_panels_are_found_with_the_shadowed_corners_among_them() -> None:
    assert_within(first().errors(well_measured=False), LIMITS_ALL_UM)


def test_its_errors_scatter_as_the_covariance_claims() -> None:
    case = first()
    errors = errors_of(case.layout, case.found.estimate, case.truth)
    assert errors.degrees == 354
    assert abs(deviations(errors.chi_square, errors.degrees)) < THREE_SD
    assert 0.85 < np.sqrt(np.mean(errors.relative**2)) < 1.15


def test_the_shadowed_corners_say_that_they_are_sparse_or_well_enough_known() -> None:
    status, counts = first().found.estimate.status, first().found.estimate.n_reflections
    assert PanelStatus.UNMEASURED not in status
    for panel in np.flatnonzero(counts < 50):
        assert status[panel] is PanelStatus.SPARSE
    for panel in np.flatnonzero(counts > 2 * MANY):
        assert status[panel] is PanelStatus.MEASURED


def test_outliers_are_rejected_and_hardly_anything_else() -> None:
    (use,) = first().found.report.datasets
    share = use.n_rejected / (use.n_rejected + use.n_reflections)
    assert 0.029 < share < 0.036


@pytest.mark.long
def test_other_seeds_do_as_well() -> None:
    cases = [seed_size(seed) for seed in range(1, 13)]
    for case in cases:
        assert case.found.report.convergence.converged
        assert_within(case.errors(well_measured=True), LIMITS_WELL_MEASURED_UM)
        assert case.errors(well_measured=False).seen_um <= LIMITS_ALL_UM.seen_um
    found = [errors_of(c.layout, c.found.estimate, c.truth) for c in cases]
    total = sum(one.chi_square for one in found)
    assert abs(deviations(total, 354 * len(found))) < THREE_SD
    pooled = np.sqrt(np.mean([one.relative**2 for one in found]))
    assert pooled == pytest.approx(1.0, abs=0.05)
    everything = np.array(
        [(e.in_plane_um, e.normal_um) for e in (c.errors(well_measured=False) for c in cases)]
    )
    medians = np.median(everything, axis=0)
    assert medians[0] <= LIMITS_ALL_UM.in_plane_um
    assert medians[1] <= LIMITS_ALL_UM.normal_um
