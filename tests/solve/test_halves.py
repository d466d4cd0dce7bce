"""Two halves whose errors are known: the reported difference between them."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.result.report import Halves
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.panels.halves import halves_of
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.prior import PanelPrior

LAYOUT = known_layout("PILATUS 1M")
N = len(LAYOUT)
REPEATS = 300
THREE_SD = 3.0
ENOUGH = 100


def rigid(freedom: Freedom) -> Floats:
    """(n f, k) the rigid motions of the nominal detector."""
    to_tangent = tangents_from_parameters(Correction.none(N))
    return gauge_directions(LAYOUT.frames.rotation, LAYOUT.centre_root_mm, to_tangent, freedom)


def step(values: Floats, variance: Floats, gauge: Floats) -> PanelStep:
    """A solution (n, 6) whose free parameters have independent variances (n, f)."""
    covariance = np.diag(variance.ravel())
    return PanelStep(Correction(values), np.zeros(6 * N), covariance, gauge, 0.0, 0.0)


def compared(
    rng: np.random.Generator, freedom: Freedom, counts: Ints, share: float, apart: float = 1.0
) -> Halves:
    """Halves that err by their sigmas, those of the first one by ``share`` of the variance; apart
    by any rigid motion."""
    free, gauge = list(freedom.free), rigid(freedom)
    spread = np.array([0.01, 0.01, 0.05, 1e-3, 1e-3, 1e-4])[free]
    each = np.exp(rng.normal(size=(N, len(free))))
    steps = []
    for part in (share, 1.0 - share):
        variance = part * (spread * each) ** 2
        values = np.zeros((N, 6))
        values[:, free] = apart * np.sqrt(variance) * rng.normal(size=variance.shape)
        motion = gauge @ rng.normal(size=gauge.shape[1])
        values[:, free] += motion.reshape(N, len(free))
        steps.append(step(values, variance, gauge))
    system = PanelSystem(LAYOUT, freedom, PanelPrior())
    found = halves_of(steps[0], steps[1], counts, gauge, system)
    assert found is not None
    return found


@pytest.mark.parametrize("freedom", list(Freedom))
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_halves_that_err_as_they_claim_have_a_chi_square_of_one_per_degree(
    freedom: Freedom, share: float
) -> None:
    """With the rigid motions' degrees of freedom taken off, and weighted by the sigmas of both."""
    counts = np.full((2, N), ENOUGH)
    counts[1, 7] = ENOUGH - 1
    rng = np.random.default_rng(1)
    found = [compared(rng, freedom, counts, share) for _ in range(REPEATS)]
    assert {one.n_panels for one in found} == {N - 1}
    degrees = (N - 1) * len(freedom.free) - rigid(freedom).shape[1]
    mean = np.mean([one.chi_square_per_degree for one in found])
    assert abs(mean - 1.0) < THREE_SD * np.sqrt(2.0 / degrees / REPEATS)


def test_halves_that_err_twice_as_much_as_they_claim_say_so() -> None:
    counts = np.full((2, N), ENOUGH)
    rng = np.random.default_rng(2)
    found = [compared(rng, Freedom.FULL, counts, 0.5, apart=2.0) for _ in range(REPEATS)]
    assert np.mean([one.chi_square_per_degree for one in found]) == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("freedom", list(Freedom))
def test_differences_are_those_of_the_axes_that_are_named(freedom: Freedom) -> None:
    """Alternate panels apart by 6 micrometres along fast, 2 along slow and 5 along the normal."""
    gauge, free = rigid(freedom), list(freedom.free)
    sign = np.where(np.arange(N) % 4 < 2, 1.0, -1.0)
    first, second = np.zeros((N, 6)), np.zeros((N, 6))
    first[:, :3] = 1e-3 * sign[:, None] * [6.0, 2.0, 5.0]
    first[:, [k for k in range(6) if k not in free]] = 0.0
    variance = np.full((N, len(free)), 1e-6)
    own = first[:, free].ravel()
    left = own - gauge @ np.linalg.lstsq(gauge, own, rcond=None)[0]
    left_um = 1e3 * left.reshape(N, len(free))
    steps = [step(values, variance, gauge) for values in (first, second)]
    counts, system = np.full((2, N), ENOUGH), PanelSystem(LAYOUT, freedom, PanelPrior())
    found = halves_of(steps[0], steps[1], counts, gauge, system)
    assert found is not None
    assert found.rms_in_plane_um == pytest.approx(np.sqrt(np.mean(left_um[:, :2] ** 2)))
    assert found.rms_in_plane_um == pytest.approx(np.sqrt(20.0), rel=0.1)
    if freedom is Freedom.FULL:
        assert found.rms_normal_um == pytest.approx(np.sqrt(np.mean(left_um[:, 2] ** 2)))
        assert found.rms_normal_um == pytest.approx(5.0, rel=0.3)
    else:
        assert found.rms_normal_um is None


def test_one_panel_alone_has_nothing_to_be_compared_with() -> None:
    gauge = rigid(Freedom.FULL)
    same = step(np.zeros((N, 6)), np.ones((N, 6)), gauge)
    counts = np.zeros((2, N), dtype=np.int64)
    counts[:, 3] = ENOUGH
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior())
    assert halves_of(same, same, counts, gauge, system) is None
