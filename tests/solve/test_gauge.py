"""Which rigid motions of all panels are fixed by convention, and which the data determine."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import Normal, PanelSystem
from calib.solve.prior import PanelPrior
from support.linear import seen

LAYOUT = known_layout("PILATUS 300K")
N = len(LAYOUT)
NONE = Correction.none(N)
SYSTEM = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior())
LIMIT = 1e-4
"""Fraction of the panels' own information that the data must have of a motion to determine it."""
ROUNDING = 1e-8


def without_gauge() -> PanelEquations:
    """Data that determine no rigid motion of all panels."""
    counts: Floats = np.full(N, 40.0)
    one = seen(np.random.default_rng(1), LAYOUT, NONE, counts)
    return PanelEquations(one.information, one.vector, one.panel_information)


def determining(share: float) -> tuple[Normal, Floats, Floats]:
    """Normal equations where the data have this fraction of the panels' information of one motion;
    this motion (6 n,) and the weights (6 n,) of the gauge."""
    plain = without_gauge()
    normal, weight = SYSTEM.normal(NONE, [plain]), SYSTEM.gauge_weight(NONE, [plain])
    # The motions of the gauge are already orthogonal with these weights, and of unit length.
    motion = normal.gauge @ np.array([0.5, -0.5, 0.1, 0.5, -0.1, np.sqrt(0.23)])
    assert motion @ (weight * motion) == pytest.approx(1.0)
    row = np.zeros(6 * N)
    for panel in range(N):
        own = slice(6 * panel, 6 * panel + 6)
        row[own] = np.linalg.solve(normal.spread[panel].T, (weight * motion)[own])
    more = PanelEquations(
        plain.information + share * np.outer(row, row), plain.vector, plain.panel_information
    )
    return SYSTEM.normal(NONE, [more]), motion, weight


def test_motions_that_no_data_determine_are_orthonormal_with_the_weights_of_the_gauge() -> None:
    normal, weight = (
        SYSTEM.normal(NONE, [without_gauge()]),
        SYSTEM.gauge_weight(NONE, [without_gauge()]),
    )
    product = normal.gauge.T @ (weight[:, None] * normal.gauge)
    assert product == pytest.approx(np.eye(6), abs=ROUNDING)
    assert normal.within == pytest.approx(np.eye(6), abs=ROUNDING)
    assert np.abs(normal.information @ normal.gauge).max() < ROUNDING * np.abs(weight).max()


@pytest.mark.parametrize(("share", "n_gauge"), [(0.9 * LIMIT, 6), (1.1 * LIMIT, 5), (1.0, 5)])
def test_a_motion_that_the_data_determine_is_not_fixed_by_convention(
    share: float, n_gauge: int
) -> None:
    """And those that remain are free of it."""
    normal, motion, weight = determining(share)
    assert normal.gauge.shape == (6 * N, n_gauge)
    if n_gauge == 5:
        assert np.abs(normal.gauge.T @ (weight * motion)).max() < ROUNDING
    product = normal.gauge.T @ (weight[:, None] * normal.gauge)
    assert product == pytest.approx(np.eye(n_gauge), abs=ROUNDING)
