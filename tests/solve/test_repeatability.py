"""The repeatability of a detector, estimated from several occasions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.result.comparison import Compared, Repeatability
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.comparisons import CommonSolution
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM, repeatability
from calib.solve.panels.repeatability_estimate import estimated_repeatability
from calib.solve.panels.system import PanelSystem
from support.linear import PRIOR, seen

LAYOUT = known_layout("PILATUS 2M")
N = len(LAYOUT)
IN_PLANE = (0, 1, 5)
SYSTEM = PanelSystem(LAYOUT, Freedom.FULL, PRIOR)


def displaced(rng: np.random.Generator, repeat_mm: float) -> Floats:
    """Panels (n, 6) on one occasion."""
    moved = np.zeros((N, 6))
    if repeat_mm:
        root = np.linalg.cholesky(repeatability(LAYOUT, repeat_mm, IN_PLANE))
        moved[:, IN_PLANE] = (root @ rng.normal(size=3 * N)).reshape(N, 3)
    return moved


def estimated(seed: int, occasions: Sequence[Floats]) -> Repeatability | None:
    """From a dataset on each occasion, of panels (n, 6) displaced so."""
    rng = np.random.default_rng(seed)
    parts = [seen(rng, LAYOUT, Correction(one), np.full(N, 600.0)) for one in occasions]
    each = [PanelEquations(one.information, one.vector, one.panel_information) for one in parts]
    common, k = CommonSolution(SYSTEM, Correction.none(N), each), len(each)
    once = k / (k - 1.0) * repeatability(LAYOUT, DEFAULT_REPEAT_MM, IN_PLANE)
    contrasts = [common.contrast(one, Compared.OCCASION, (i,), once) for i, one in enumerate(each)]
    return estimated_repeatability(contrasts)


def found(seed: int, repeat_mm: float, n_occasions: int = 6) -> Repeatability:
    rng = np.random.default_rng(100 + seed)
    result = estimated(seed, [displaced(rng, repeat_mm) for _ in range(n_occasions)])
    assert result is not None
    return result


@pytest.mark.parametrize("repeat_um", [0.0, 3.0, 20.0])
def test_the_estimate_is_how_far_panels_moved(repeat_um: float) -> None:
    """Within a fifth: datasets weigh panels and directions differently, and of panels that move by
    20 um those that move farthest count as moved."""
    each = [found(seed, 1e-3 * repeat_um) for seed in range(3)]
    assert np.mean([one.estimated_um for one in each]) == pytest.approx(repeat_um, rel=0.2, abs=0.5)
    assert all(one.at_least_um <= one.estimated_um for one in each)
    assert all(one.at_least_um <= 1.1 * repeat_um for one in each)
    assert all((one.at_least_um > 5.0) == (repeat_um > 5.0) for one in each)


def test_the_estimate_is_shrunk_to_what_was_known_before() -> None:
    for n_occasions in (4, 8):
        one, k = found(1, 0.02, n_occasions), n_occasions - 1
        expected = np.sqrt((k * one.estimated_um**2 + 3.0 * one.before_um**2) / (k + 3.0))
        assert one.panel_um == pytest.approx(expected)
        assert one.before_um == pytest.approx(1e3 * DEFAULT_REPEAT_MM)
        assert one.n_occasions == n_occasions


def test_a_panel_that_moved_far_does_not_change_the_estimate() -> None:
    rng = np.random.default_rng(101)
    occasions = [displaced(rng, 0.003) for _ in range(6)]
    before = estimated(1, occasions)
    occasions[2][5, 0] += 0.5
    after = estimated(1, occasions)
    assert before is not None
    assert after is not None
    assert after.estimated_um == pytest.approx(before.estimated_um, abs=2.0)


def test_three_occasions_are_too_few() -> None:
    rng = np.random.default_rng(1)
    assert estimated(1, [displaced(rng, 0.003) for _ in range(3)]) is None
