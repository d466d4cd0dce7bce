"""Whether two distances contradict one another, against the covariance of a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.result.report import Disagreement
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.distances import _GaugeProjector, disagreements
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior
from support.linear import Seen, seen

LAYOUT = known_layout("PILATUS 300K")
PRIOR = PanelPrior()
FREE = Freedom.FULL
REPEATS = 200
THREE_SD = 3.0
UNLIKELY = 0.1
FEW, MANY = 1.0, 40.0
"""Reflections on each panel: the prior decides as much as they do, or nearly nothing."""


def equations(one: Seen) -> PanelEquations:
    return PanelEquations(one.information, one.vector, one.panel_information)


def compared(seed: int, count: float, prior: PanelPrior = PRIOR) -> Disagreement:
    """Two distances of a detector whose panels deviate by its prior."""
    rng = np.random.default_rng(seed)
    n = len(LAYOUT)
    truth = Correction(rng.normal(size=(n, 6)) * prior.sigma())
    system = PanelSystem(LAYOUT, FREE, prior)
    counts: Floats = np.full(n, count)
    groups = [(mm, [equations(seen(rng, LAYOUT, truth, counts))]) for mm in (100.0, 200.0)]
    (found,) = disagreements(system, Correction.none(n), groups)
    return found


@pytest.mark.parametrize("count", [FEW, MANY])
def test_chi_square_of_two_distances_that_agree_is_its_degrees_of_freedom(count: float) -> None:
    """Both solutions lean on one prior: without that in the covariance chi-square is too small,
    with too much of it too large."""
    found = [compared(seed, count) for seed in range(REPEATS)]
    degrees = {one.degrees_of_freedom for one in found}
    assert degrees == {6 * (len(LAYOUT) - 1)}
    mean = np.mean([one.chi_square for one in found])
    (expected,) = degrees
    assert abs(mean - expected) < THREE_SD * np.sqrt(2.0 * expected / REPEATS)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_p_values_of_panels_that_agree_are_even(count: float) -> None:
    found = np.array([compared(seed, count).panel_p_values for seed in range(REPEATS)])
    spread = np.sqrt(UNLIKELY * (1.0 - UNLIKELY) / found.size)
    assert abs(np.mean(found < UNLIKELY) - UNLIKELY) < THREE_SD * spread
    assert abs(np.mean(found) - 0.5) < THREE_SD * np.sqrt(1.0 / 12.0 / found.size)


def test_two_distances_of_a_detector_bent_in_two_ways_are_compared_in_its_planes() -> None:
    """No rigid motion changes in-plane parameters only, so there is no gauge to remove."""
    turns = Rotation.from_rotvec([[0.2, 0.0, 0.0], [0.0, 0.2, 0.0], [-0.1, -0.2, 0.1]]).as_matrix()
    frames = PanelFrames(turns @ LAYOUT.frames.rotation, LAYOUT.frames.origin_mm)
    bent, freedom = Layout(LAYOUT.panels, frames), Freedom.IN_PLANE
    rng = np.random.default_rng(1)
    none = Correction.none(len(bent))
    counts: Floats = np.full(len(bent), MANY)
    groups = [(mm, [equations(seen(rng, bent, none, counts, freedom))]) for mm in (100.0, 120.0)]
    system = PanelSystem(bent, freedom, PRIOR)
    assert system.normal(none, groups[0][1]).gauge.shape[1] == 0
    (found,) = disagreements(system, none, groups)
    assert found.degrees_of_freedom == 3 * len(bent)
    assert found.p_value > 1e-3


def test_removing_rigid_motions_leaves_what_is_orthogonal_to_them() -> None:
    """With the weights: a motion becomes zero, and what has none of it stays as it is."""
    rng = np.random.default_rng(3)
    gauge, weight = rng.normal(size=(12, 3)), rng.uniform(0.1, 10.0, 12)
    projector = _GaugeProjector.of(gauge, weight)
    assert projector.values(gauge @ [1.0, -2.0, 3.0]) == pytest.approx(np.zeros(12), abs=1e-12)
    left = projector.values(rng.normal(size=12))
    assert gauge.T @ (weight * left) == pytest.approx(np.zeros(3), abs=1e-10)
    assert projector.values(left) == pytest.approx(left)
    root = rng.normal(size=(12, 12))
    removed = projector.covariance(root @ root.T)
    assert removed == pytest.approx(projector.values(root) @ projector.values(root).T)
