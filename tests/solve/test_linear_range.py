"""How far a statement may mislead that was linearised elsewhere, against its terms written out.

Of a panel that turns by w and shifts by t the spots are off by e = |w|^2 u / 2 + (|t| + |w| u)
|w| (1 + tan^2 theta), and what was pulled is short by the share that rejection cut: the square root
of sum_k (C N_k e_k)^2 + (cut C N xi)^2, over the standard deviations.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from calib.flows.shared.summaries import beyond_linear_range
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.detector.layout import Layout
from calib.model.result.summary import Part, Statement
from calib.solve.dataset.outliers import rejected_pull
from calib.solve.panels.linearisation import linearisation_errors
from calib.solve.panels.solution import Solution
from calib.solve.panels.stored_equations import TwistEquations
from support.scenes import simulation, solution

LIMIT_SIGMA = 3.2
DISTANCE_MM = 120.0
SAME = 0.01
"""Relative: twists are parameters to first order in the angles."""


@cache
def solved() -> tuple[Layout, Solution]:
    layout, _, scan = simulation("PILATUS 300K", distance_mm=DISTANCE_MM, n_reflections=1500)
    return layout, solution([scan.dataset], layout)


def error_after(step: Floats) -> tuple[float, Statement, CorrectionEstimate]:
    """The estimated error of a statement that was linearised a step (n, 6) before the solution."""
    layout, found = solved()
    (at,) = found.statements
    estimate = replace(found.estimate, correction=Correction(at.point.values + step))
    twisted = TwistEquations.of(layout, [at], Part.WHOLE)
    (error,) = linearisation_errors(layout, [at], twisted, estimate)
    return error, at, estimate


def rejection_share() -> float:
    """Of a small offset s: how much of it the mean of what lies within the limit loses."""
    s = 1e-4
    x = np.linspace(-LIMIT_SIGMA, LIMIT_SIGMA, 2_000_001)
    density = norm.pdf(x - s)
    mean = (x * density).sum() / density.sum()
    return float(1.0 - mean / s)


def parts_of(
    step: Floats, statement: Statement, estimate: CorrectionEstimate
) -> tuple[Floats, Floats]:
    """(6 n,) the second-order part and the pull without its share, in sigma."""
    layout, _ = solved()
    n, sigma = len(layout), np.sqrt(np.diag(estimate.covariance))
    information = statement.whole.information
    second = np.zeros(6 * n)
    for panel in range(n):
        t, w = np.linalg.norm(step[panel, :3]), np.linalg.norm(step[panel, 3:])
        u = 0.5 * np.hypot(*layout.panels[panel].size_mm)
        from_middle = layout.centre_root_mm[panel] - layout.centre_root_mm.mean(axis=0)
        tan = np.linalg.norm(from_middle) / DISTANCE_MM
        spots = 0.5 * w**2 * u + (t + w * u) * w * (1.0 + tan**2)
        for axis in range(2):
            second += (estimate.covariance @ information[:, 6 * panel + axis] * spots) ** 2
    pull = np.abs(estimate.covariance @ information @ step.ravel())
    return np.sqrt(second) / sigma, pull / sigma


def test_rejection_takes_its_share_of_a_small_offset() -> None:
    assert rejected_pull() == pytest.approx(rejection_share(), rel=1e-5)
    assert rejected_pull() == pytest.approx(0.0153, abs=1e-4)


def test_a_shift_misleads_by_what_rejection_cut_of_it() -> None:
    """Panels that hardly turn leave nothing of second order."""
    rng = np.random.default_rng(1)
    n = len(solved()[0])
    step = rng.normal(size=(n, 6)) * [0.05, 0.05, 0.05, 1e-9, 1e-9, 1e-9]
    error, statement, estimate = error_after(step)
    second, pull = parts_of(step, statement, estimate)
    assert second.max() < 1e-3 * error
    assert error == pytest.approx(rejection_share() * pull.max(), rel=SAME)


@pytest.mark.parametrize(("shift_mm", "least_share"), [(0.0, 0.9), (0.5, 0.8)])
def test_a_tilt_misleads_by_what_is_of_second_order(shift_mm: float, least_share: float) -> None:
    rng = np.random.default_rng(2)
    step = np.zeros((len(solved()[0]), 6))
    step[:, 3:5] = 4e-3 * rng.normal(size=(len(step), 2))
    step[:, :2] = shift_mm * rng.normal(size=(len(step), 2))
    error, statement, estimate = error_after(step)
    second, pull = parts_of(step, statement, estimate)
    expected = np.sqrt(second**2 + (rejection_share() * pull) ** 2)
    assert second[expected.argmax()] > least_share * error
    assert error == pytest.approx(expected.max(), rel=SAME)


def test_a_single_panel_that_tilts_misleads_where_all_others_stand_still() -> None:
    step = np.zeros((len(solved()[0]), 6))
    step[1, 3:5] = 4e-3, -3e-3
    error, statement, estimate = error_after(step)
    second, pull = parts_of(step, statement, estimate)
    expected = np.sqrt(second**2 + (rejection_share() * pull) ** 2)
    assert error == pytest.approx(expected.max(), rel=SAME)
    assert error > 0.0


def test_a_statement_made_at_the_solution_does_not_mislead() -> None:
    error, _, _ = error_after(np.zeros((len(solved()[0]), 6)))
    assert error == 0.0


def test_a_dataset_is_named_whose_summary_errs_by_more_than_a_tenth_of_sigma() -> None:
    (statement,) = solved()[1].statements
    errors = {"none": None, "at the limit": 0.1, "beyond it": 0.11}
    uses = [
        replace(statement.use, name=name, linearisation_error_sigma=error)
        for name, error in errors.items()
    ]
    (notice,) = beyond_linear_range(uses, "calib rederive NAME")
    assert notice.startswith("beyond it: ")
    assert "0.11 sigma" in notice
